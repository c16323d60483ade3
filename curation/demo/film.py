"""What the lens and the film add to a picture: darker corners and grain."""

import cv2
import numpy as np

GRAIN_MARGIN = 64
GRAIN_MEAN = 16


def make_vignette(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draws how much light the lens leaves at each pixel.

    Args:
        rng: Source of the strength.
        width: Columns of a frame.
        height: Rows of a frame.

    Returns:
        uint8 (height, width, 3), 255 for all the light.
    """
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    light = 1 - rng.uniform(0.12, 0.3) * (rows**2 + columns**2) / 2
    return cv2.cvtColor((255 * light).astype(np.uint8), cv2.COLOR_GRAY2RGB)


def grain_at(grain: np.ndarray, t_s: float) -> np.ndarray:
    """Takes the piece of the sheet that one instant shows.

    Args:
        grain: What `make_grain` drew.
        t_s: Seconds since the scene began.

    Returns:
        uint8 (height, width, 3), a view.
    """
    height, width = grain.shape[0] - GRAIN_MARGIN, grain.shape[1] - GRAIN_MARGIN
    tick = round(t_s * 1000)
    top, left = tick * 37 % GRAIN_MARGIN, tick * 101 % GRAIN_MARGIN
    return grain[top : top + height, left : left + width]


def make_grain(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draws a sheet of film grain, larger than the frame so that each frame can take another piece of it.

    Args:
        rng: Source of the grain and its strength.
        width: Columns of a frame.
        height: Rows of a frame.

    Returns:
        uint8 (height + GRAIN_MARGIN, width + GRAIN_MARGIN, 3), equal channels, about GRAIN_MEAN.
    """
    size = (height + GRAIN_MARGIN, width + GRAIN_MARGIN)
    grain = GRAIN_MEAN + rng.uniform(1.0, 2.2) * rng.standard_normal(size, np.float32)
    return cv2.cvtColor(np.clip(np.round(grain), 0, 2 * GRAIN_MEAN).astype(np.uint8), cv2.COLOR_GRAY2RGB)
