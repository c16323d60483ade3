"""What happens within a shot of a synthetic film and is no cut: light, flashes, things passing, titles, low rates."""

from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.film_shots import HEIGHT, WIDTH, Material, text_layer

Effect = Callable[[np.ndarray, int], np.ndarray]
"""Changes frame k, float32 (HEIGHT, WIDTH, 3) in 0..255."""


class Effects:
    """What is done to the frames of a shot, drawn at random, after a grade that may be the whole film's."""

    def __init__(self, rng: np.random.Generator, length: int, material: Material, grade: Effect) -> None:
        self._effects = [grade]
        for chance, draw in _DRAWS:
            if rng.random() < chance:
                self._effects += [draw(rng, length, material) for _ in range(rng.integers(1, 3))]
        self._repeats = int(rng.choice([1, 1, 1, 1, 1, 1, 2, 2, 3]))
        freezes = rng.random() < 0.06
        self._frozen = (int(rng.integers(5, max(6, length))), int(rng.integers(10, 40)) if freezes else 0)

    def source(self, k: int) -> int:
        """The frame of the shot that is shown as frame k: rates are lowered, pictures freeze."""
        start, length = self._frozen
        k = min(k, start) if k < start + length else k - length
        return k // self._repeats * self._repeats

    def apply(self, picture: np.ndarray, k: int) -> np.ndarray:
        """Frame k with all effects: float32 (HEIGHT, WIDTH, 3)."""
        shown = picture.astype(np.float32)
        for effect in self._effects:
            shown = effect(shown, k)
        return shown


def random_grade(rng: np.random.Generator) -> Effect:
    """Exposure, gamma, tint and saturation of a shot or a film."""
    gain, gamma = rng.choice([1, 1, 1, 0.25, 0.5, 1.3]), rng.choice([1, 1, 0.7, 1.4])
    tint, saturation = 1 + rng.normal(size=3) * rng.choice([0, 0.05, 0.2]), rng.choice([1, 1, 1, 0, 0.4, 1.4])

    def grade(x: np.ndarray, k: int) -> np.ndarray:
        grey = x.mean(axis=2, keepdims=True)
        return 255 * np.clip((grey + (x - grey) * saturation) / 255, 0, 1) ** gamma * gain * tint

    return grade


def _flash(rng: np.random.Generator, length: int, material: Material) -> Effect:
    start, frames, strength = int(rng.integers(length)), int(rng.integers(1, 5)), rng.uniform(0.3, 1)
    colour = rng.choice([255, 255, 0])

    def flash(x: np.ndarray, k: int) -> np.ndarray:
        return x + (colour - x) * strength * 0.8 ** (k - start) if start <= k < start + frames else x

    return flash


def _explosion(rng: np.random.Generator, length: int, material: Material) -> Effect:
    start, frames = int(rng.integers(5, max(6, length))), int(rng.integers(6, 20))
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    away = np.hypot(columns - rng.uniform(0.2, 0.8) * WIDTH, rows - rng.uniform(0.3, 0.8) * HEIGHT)[..., None]
    fire = np.array([330, 250, 105])

    def explosion(x: np.ndarray, k: int) -> np.ndarray:
        if not start <= k < start + frames:
            return x
        reach = 20 + 140 * min(1, (k - start + 1) / 4)
        return x + fire * np.exp(-((away / reach) ** 2)) * (1 - (k - start) / frames)

    return explosion


def _passer(rng: np.random.Generator, length: int, material: Material) -> Effect:
    """Something large comes in, may stay, and leaves by the other side or the same."""
    start, frames, stay = int(rng.integers(-5, length)), int(rng.integers(4, 40)), int(rng.choice([0, 0, 5, 20, 60]))
    width, height = max(8, int(WIDTH * rng.uniform(0.3, 1.2))), int(HEIGHT * rng.uniform(0.5, 1))
    sources = [clip[0] for clip in material.footage] + material.photographs
    thing = cv2.resize(sources[rng.integers(len(sources))], (width, height), interpolation=cv2.INTER_AREA)
    blurred, returns = cv2.blur(thing, (max(1, (WIDTH + width) // frames // 2), 1)), rng.random() < 0.5
    mirrored = rng.random() < 0.5

    def passer(x: np.ndarray, k: int) -> np.ndarray:
        way = (k - start) / frames if k < start + frames else 1 + max(0, k - start - frames - stay) / frames
        if not 0 <= way < 2:
            return x
        way = 2 - way if returns and way > 1 else way
        left = int(-width + (WIDTH + width) / 2 * way)
        left = WIDTH - width - left if mirrored else left
        first, last = max(0, left), min(WIDTH, left + width)
        if first < last:
            x = x.copy()
            x[HEIGHT - height :, first:last] = (thing if way == 1 else blurred)[:, first - left : last - left]
        return x

    return passer


def _title(rng: np.random.Generator, length: int, material: Material) -> Effect:
    start, fade, stay = int(rng.integers(length)), int(rng.integers(1, 20)), int(rng.integers(10, 60))
    words = text_layer(rng)

    def title(x: np.ndarray, k: int) -> np.ndarray:
        share = min(np.clip((k - start) / fade, 0, 1), np.clip((start + 2 * fade + stay - k) / fade, 0, 1))
        return x + (255 - x) * words * share

    return title


def _exposure(rng: np.random.Generator, length: int, material: Material) -> Effect:
    start, frames, gain = int(rng.integers(length)), int(rng.integers(8, 60)), rng.uniform(0.55, 1.6)
    return lambda x, k: x * gain ** np.clip((k - start) / frames, 0, 1)


def _focus(rng: np.random.Generator, length: int, material: Material) -> Effect:
    middle, frames, blur = int(rng.integers(length)), int(rng.integers(8, 30)), rng.uniform(2, 8)

    def focus(x: np.ndarray, k: int) -> np.ndarray:
        share = 1 - abs((k - middle) / frames)
        return cv2.GaussianBlur(x, (0, 0), max(0.1, blur * share)) if share > 0 else x

    return focus


def _flicker(rng: np.random.Generator, length: int, material: Material) -> Effect:
    strength = rng.choice([rng.uniform(0.03, 0.15), rng.uniform(0.15, 0.45)])
    speed = rng.uniform(0.3, 2.9)
    return lambda x, k: x * (1 + strength * np.sin(speed * k))


_DRAWS = [
    (0.15, _flash),
    (0.04, _explosion),
    (0.3, _passer),
    (0.15, _title),
    (0.12, _exposure),
    (0.06, _focus),
    (0.1, _flicker),
]
