"""The families of background: each paints one still canvas, larger than the frame, that the camera looks at."""

from collections.abc import Callable

import numpy as np

from curation.demo.textures import Colour, colourise, fractal_noise, light, relief


def _grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) / height
    return rows, columns


def _rocky(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    ridges = np.abs(2 * fractal_noise(rng, height, width, cells=5) - 1)
    colour = colourise(ridges, [(62, 56, 52), (118, 110, 102), (156, 148, 138)])
    return light(colour, relief(ridges, 5.0))


def _cloudy(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    rows, _ = _grid(height, width)
    cover = 1.7 * fractal_noise(rng, height, width, cells=3, stretch=0.6) - 0.45 + 0.15 * rows
    return colourise(cover, [(74, 124, 190), (128, 168, 214), (222, 228, 236), (250, 250, 250)])


def _grassy(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    blades = fractal_noise(rng, height, width, cells=14, octaves=4, stretch=4.0)
    patches = fractal_noise(rng, height, width, cells=3, octaves=4)
    return colourise(0.65 * blades + 0.35 * patches, [(18, 52, 18), (58, 104, 34), (112, 146, 58), (168, 184, 96)])


def _sandy(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    rows, columns = _grid(height, width)
    bend = fractal_noise(rng, height, width, cells=2, octaves=3)
    dunes = np.sin(2 * np.pi * (rng.uniform(7, 11) * rows + rng.uniform(-2, 2) * columns + 3.5 * bend))
    grains = fractal_noise(rng, height, width, cells=60, octaves=2)
    tone = 0.5 + 0.22 * dunes.astype(np.float32) + 0.3 * (grains - 0.5)
    return colourise(tone, [(142, 108, 70), (202, 170, 120), (236, 214, 170)])


def _watery(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    swell = fractal_noise(rng, height, width, cells=6, octaves=5, stretch=0.4)
    glints = np.clip(1 - 9 * np.abs(swell - 0.5), 0, 1)
    return colourise(0.7 * swell + 0.45 * glints, [(8, 44, 70), (18, 84, 110), (60, 138, 156), (206, 236, 238)])


def _wooden(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    rows, _ = _grid(height, width)
    grain = fractal_noise(rng, height, width, cells=10, octaves=5, stretch=0.06)
    plank = np.floor(rows * 6)
    rings = np.sin(36 * grain + 2.4 * plank) * 0.16 + (plank * 0.618) % 1 * 0.25
    tone = 0.3 + rings.astype(np.float32) + 0.35 * grain
    tone[(rows * 6) % 1 < 0.05] = 0.0
    return colourise(tone, [(48, 28, 16), (116, 74, 42), (160, 110, 66), (196, 150, 98)])


def _brick(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    rows, columns = _grid(height, width)
    course = (rows * 11).astype(int)
    along = columns * 5 + 0.5 * (course % 2)
    tones = rng.random((course.max() + 1, int(along.max()) + 1), np.float32)[course, along.astype(int)]
    rough = fractal_noise(rng, height, width, cells=20, octaves=4)
    wall = colourise(0.5 * tones + 0.5 * rough, [(78, 40, 34), (122, 66, 54), (152, 94, 78)])
    mortar = ((rows * 11) % 1 < 0.12) | (along % 1 < 0.055)
    wall[mortar] = colourise(rough, [(120, 114, 108), (186, 180, 172)])[mortar]
    return wall


def _snowy(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    drifts = fractal_noise(rng, height, width, cells=3, octaves=6, stretch=0.5)
    return light(colourise(drifts, [(158, 178, 210), (208, 220, 236), (238, 243, 250)]), relief(drifts, 2.5))


def _hilly(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    rows, _ = _grid(height, width)
    ground = fractal_noise(rng, height, width, cells=4)
    canvas = colourise(1.6 * rows + 0.15 * ground, [(120, 160, 210), (236, 196, 160), (240, 222, 200)])
    ranges: list[Colour] = [(150, 154, 176), (108, 116, 132), (74, 88, 86), (50, 64, 52)]
    for depth, colour in enumerate(ranges):
        # One field serves as ground and, row by row, as the outline of each range of hills.
        skyline = 0.2 + 0.16 * depth + 0.3 * ground[depth * height // len(ranges)]
        shaded = colourise(0.2 + ground, [(20, 24, 28), colour, (210, 206, 190)])
        np.copyto(canvas, shaded, where=(rows > skyline)[..., None])
    return canvas


def _city(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    rows, columns = _grid(height, width)
    haze = fractal_noise(rng, height, width, cells=3, octaves=5)
    canvas = colourise(0.8 * rows + 0.4 * haze, [(96, 110, 146), (196, 170, 170), (232, 200, 168)])
    for depth, houses_per_height in enumerate((11, 7)):
        house = (columns * houses_per_height).astype(int)
        roof = (0.25 + 0.22 * depth + 0.35 * rng.random(house.max() + 1, np.float32))[house]
        windows = ((rows * 44) % 1 < 0.5) & ((columns * houses_per_height * 5) % 1 < 0.5)
        lit = windows & (rng.random((45, house.max() + 6), np.float32)[(rows * 44).astype(int), house] > 0.45)
        wall = colourise(haze, [(74 - 22 * depth, 80 - 22 * depth, 100 - 22 * depth), (112, 114, 126)])
        wall[lit] = (226, 200, 142)
        np.copyto(canvas, wall, where=(rows > roof)[..., None])
    return canvas


FAMILIES: dict[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    "rocky": _rocky,
    "cloudy": _cloudy,
    "grassy": _grassy,
    "sandy": _sandy,
    "watery": _watery,
    "wooden": _wooden,
    "brick": _brick,
    "snowy": _snowy,
    "hilly": _hilly,
    "city": _city,
}

# Colours that would be hard to tell from the background.
LOST_COLOURS: dict[str, tuple[str, ...]] = {
    "cloudy": ("white",),
    "grassy": ("green",),
    "sandy": ("yellow", "orange"),
    "watery": ("blue", "cyan"),
    "wooden": ("orange",),
    "brick": ("red", "orange"),
    "snowy": ("white",),
    "hilly": ("white",),
    "city": ("yellow",),
}

# Frame heights per second by which a background flows of itself, before any camera move.
FLOW: dict[str, tuple[float, float]] = {"cloudy": (0.07, 0.0), "watery": (0.05, 0.03)}


def paint(family: str, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Paints one background.

    Args:
        family: A key of `FAMILIES`.
        rng: Source of everything random in it.
        height: Rows, in pixels.
        width: Columns, in pixels.

    Returns:
        uint8 (height, width, 3) RGB.
    """
    return FAMILIES[family](rng, height, width)
