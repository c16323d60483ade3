"""Which way a coloured thing goes in a video of the demo world, told by its colour alone.

The likest pixels of each frame are the thing; no two things of a scene share a colour. Optical flow would see the
camera, and what a small model leaves blurred; the colour of a thing is what such a model learns first.
"""

import cv2
import numpy as np

from curation.demo.motion import DIRECTIONS
from curation.demo.shapes import COLOURS

SHARE = 0.02
"""Of the picture, taken as the thing: less than the smallest thing covers, so that only its likest pixels count."""
BLUR_PX = 1.5
"""Standard deviation of the blur before colours are compared, so that grain and coding noise go."""
LIGHTNESS = 0.4
"""Weight of lightness beside hue and saturation: things are shaded, and only white is told by it."""
WIDEST_DEG = 45.0
"""Between where a thing goes and where its caption says; of all angles, a quarter lies within."""


def displacement(frames: np.ndarray, colour: str) -> np.ndarray:
    """How far the thing of a colour goes from the first to the last frame.

    Args:
        frames: (T, H, W, 3) uint8 RGB, T >= 2.
        colour: one of `curation.demo.shapes.COLOURS`.

    Returns:
        (2,) float64: to the right in widths, down in heights of the frame; by the median over all pairs of frames
        (Theil-Sen), so a few frames in which the thing is lost do not count.
    """
    places = np.array([_place(frame, colour) for frame in frames])  # (T, 2)
    before, after = np.triu_indices(len(places), 1)
    speeds = (places[after] - places[before]) / (after - before)[:, None]
    return np.median(speeds, axis=0) * (len(places) - 1)


def goes(way: np.ndarray, direction: str) -> bool:
    """Whether a displacement lies within 45 degrees of a direction.

    Args:
        way: (2,), as `displacement` gives it; what stays where it is goes nowhere.
        direction: one of `curation.demo.motion.DIRECTIONS`.
    """
    wanted = np.array(DIRECTIONS[direction])
    length = np.linalg.norm(way) * np.linalg.norm(wanted)
    return bool(length > 0 and way @ wanted > np.cos(np.deg2rad(WIDEST_DEG)) * length)


def _place(frame: np.ndarray, colour: str) -> np.ndarray:
    """Median position of the likest pixels: (2,), in widths and heights."""
    difference = _lab(cv2.GaussianBlur(frame, (0, 0), BLUR_PX)) - _lab(np.array([[COLOURS[colour]]]))
    distance = np.linalg.norm(difference * (LIGHTNESS, 1, 1), axis=2)  # (H, W)
    likest = np.argpartition(distance, round(SHARE * distance.size), axis=None)[: round(SHARE * distance.size)]
    rows, columns = np.unravel_index(likest, distance.shape)
    return np.array([np.median(columns) / frame.shape[1], np.median(rows) / frame.shape[0]])


def _lab(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
