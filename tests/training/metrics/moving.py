"""Textures that slide, whose flow is known."""

import cv2
import numpy as np


def sliding(
    way_px: tuple[float, float], frames: int = 9, size: tuple[int, int] = (64, 96), seed: int = 0
) -> np.ndarray:
    """A texture that goes `way_px` to the right and down with each frame: uint8 (T, H, W, 3)."""
    height, width = size
    noise = np.random.default_rng(seed).uniform(0, 255, (height * 3, width * 3, 3)).astype(np.float32)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    shown = []
    for number in range(frames):
        moved = np.float32([[1, 0, way_px[0] * number - width], [0, 1, way_px[1] * number - height]])
        shown.append(cv2.warpAffine(texture, moved, (width, height)))
    return np.stack(shown).round().astype(np.uint8)
