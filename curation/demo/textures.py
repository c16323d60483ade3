"""Procedural texture: smooth random fields and the ways to turn one into colour. Knows nothing of scenes."""

import cv2
import numpy as np

Colour = tuple[int, int, int]


def fractal_noise(
    rng: np.random.Generator, height: int, width: int, cells: int = 4, octaves: int = 6, stretch: float = 1.0
) -> np.ndarray:
    """Sums octaves of smooth random fields, each twice as fine and half as strong as the one before.

    Args:
        rng: Source of the random fields.
        height: Rows of the result, in pixels.
        width: Columns of the result, in pixels.
        cells: Random cells over the height in the coarsest octave.
        octaves: Fields summed.
        stretch: Above 1 draws the grain out vertically, below 1 horizontally.

    Returns:
        float32 (height, width) in 0..1, both ends reached.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        rows = min(int(cells * 2**octave) + 2, height)
        columns = min(int(cells * 2**octave * stretch * width / height) + 2, width)
        field = rng.random((rows, columns), np.float32)
        total += cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC) * 0.5**octave
    return cv2.normalize(total, np.empty_like(total), 0.0, 1.0, cv2.NORM_MINMAX)


def relief(field: np.ndarray, strength: float) -> np.ndarray:
    """Lights a height field from the upper left.

    Args:
        field: float32 (H, W) heights.
        strength: Brightness change per unit of slope per pixel.

    Returns:
        float32 (H, W) brightness factor, about 1 on flat ground, within 0.4..1.6.
    """
    slope = cv2.filter2D(field, cv2.CV_32F, np.array([[-1, -1, 0], [-1, 0, 1], [0, 1, 1]], np.float32))
    return np.clip(1.0 - strength * slope, 0.4, 1.6)


def colourise(field: np.ndarray, palette: list[Colour]) -> np.ndarray:
    """Maps a field to colours spread evenly between its lowest and highest value.

    Args:
        field: float32 (H, W); values outside 0..1 are clipped.
        palette: Two or more RGB colours, for 0 first and for 1 last.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    stops = np.linspace(0, 255, len(palette))
    table = np.stack([np.interp(np.arange(256), stops, channel) for channel in zip(*palette, strict=True)], axis=-1)
    index = cv2.convertScaleAbs(np.clip(field, 0, 1), alpha=255)
    return cv2.applyColorMap(index, table.astype(np.uint8)[:, None, :])


def light(image: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Multiplies an image by a brightness factor per pixel.

    Args:
        image: uint8 (H, W, 3) RGB.
        factor: float32 (H, W).

    Returns:
        uint8 (H, W, 3) RGB, clipped at 255.
    """
    return cv2.multiply(image, cv2.cvtColor(factor, cv2.COLOR_GRAY2RGB), dtype=cv2.CV_8U)
