"""Views of a decoded frame's luma and chroma planes: no copy, no conversion."""

import re
from typing import Any

import numpy as np

PLANAR_YUV = re.compile(r"(?:gray|yuv[aj]?4\d\dp)(?:(9|10|12|14|16)le)?")
LUMA_WEIGHTS = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Weights of red and blue in luma by libav's number of the colour space; others count as BT.601."""
BT601 = (0.299, 0.114)
FULL_RANGE = 2


def planes(raw: Any) -> tuple[list[np.ndarray], int] | None:
    """The picture's planes as they lie in the decoder's memory, valid as long as the frame is.

    Args:
        raw: a libav video frame.

    Returns:
        Luma (H, W) and, unless it is grey, the two chroma planes, uint8 or uint16, with the number of bits a value has;
        None where the pixel format keeps no such planes.
    """
    name = raw.format.name
    match = PLANAR_YUV.fullmatch(name)
    if not match:
        return None
    bits = int(match[1] or 8)
    dtype = np.uint8 if bits == 8 else np.uint16
    number = 1 if name.startswith("gray") else 3
    return [_view(plane, dtype) for plane in raw.planes[:number]], bits


def _view(plane: Any, dtype: type) -> np.ndarray:
    lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return lines[: plane.height].view(dtype)[:, : plane.width]


def is_full_range(raw: Any) -> bool:
    """Whether luma runs from 0 to the largest value and not from 16 to 235 (in 8 bits)."""
    return raw.color_range == FULL_RANGE or raw.format.name.startswith(("yuvj", "gray"))


def rgb_matrix(raw: Any) -> np.ndarray:
    """The affine map from 8-bit Y, Cb, Cr of this frame to R, G, B of 0..255: float64 (3, 4)."""
    red, blue = LUMA_WEIGHTS.get(int(raw.colorspace), BT601)
    green = 1 - red - blue
    luma, chroma, black = (1.0, 1.0, 0) if is_full_range(raw) else (255 / 219, 255 / 224, 16)
    cr_to_r, cb_to_b = 2 * (1 - red) * chroma, 2 * (1 - blue) * chroma
    linear = np.array(
        [
            [luma, 0, cr_to_r],
            [luma, -cb_to_b * blue / green, -cr_to_r * red / green],
            [luma, cb_to_b, 0],
        ]
    )
    return np.hstack([linear, -linear @ [[black], [128], [128]]])
