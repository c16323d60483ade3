"""Views of a decoded frame's luma and chroma planes: no copy, and for nearly all formats no conversion."""

import re
from functools import cache
from typing import Any

import numpy as np

PLANAR_YUV = re.compile(r"(gray|yuv[aj]?4\d\dp)(?:(9|10|12|14|16)le)?")
LUMA_WEIGHTS = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Weights of red and blue in luma by libav's number of the colour space; others count as BT.601."""
BT601 = (0.299, 0.114)
FULL_RANGE = 2


def planar(raw: Any) -> Any:
    """The frame itself where its format keeps luma and chroma apart, else (RGB, palettes, packed) one that does."""
    # One thread: with more, libswscale was seen to give other pictures now and then.
    return raw if _layout(raw.format.name) else raw.reformat(format="yuv444p", threads=1)


def planes(raw: Any) -> tuple[list[np.ndarray], int]:
    """The picture's planes as they lie in the decoder's memory.

    Args:
        raw: a planar frame.

    Returns:
        Luma (H, W) and, unless it is grey, the two chroma planes, uint8 or uint16, with the number of bits a value has.
    """
    layout = _layout(raw.format.name)
    assert layout, f"{raw.format.name} is not planar"
    number, bits = layout
    dtype = np.uint8 if bits == 8 else np.uint16
    return [_view(plane, dtype) for plane in raw.planes[:number]], bits


@cache
def _layout(name: str) -> tuple[int, int] | None:
    """Number of planes of luma and chroma, and bits of a value, of a planar format."""
    match = PLANAR_YUV.fullmatch(name)
    return (1 if match[1] == "gray" else 3, int(match[2] or 8)) if match else None


def luma(raw: Any) -> np.ndarray:
    """The full-size luma plane of a planar frame as stored, in 8 bits: uint8 (H, W)."""
    (plane, *_), bits = planes(raw)
    return plane if bits == 8 else (plane >> (bits - 8)).astype(np.uint8)


def _view(plane: Any, dtype: type) -> np.ndarray:
    lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return lines[: plane.height].view(dtype)[:, : plane.width]


def is_full_range(raw: Any) -> bool:
    """Whether luma runs from 0 to the largest value and not from 16 to 235 (in 8 bits)."""
    return raw.color_range == FULL_RANGE or raw.format.name.startswith(("yuvj", "gray"))


def rgb_matrix(raw: Any) -> np.ndarray:
    """The affine map from 8-bit Y, Cb, Cr of this frame to R, G, B of 0..255: float64 (3, 4), not to be written to."""
    return _matrix(*LUMA_WEIGHTS.get(int(raw.colorspace), BT601), is_full_range(raw))


@cache
def _matrix(red: float, blue: float, full_range: bool) -> np.ndarray:
    green = 1 - red - blue
    luma, chroma, black = (1.0, 1.0, 0) if full_range else (255 / 219, 255 / 224, 16)
    cr_to_r, cb_to_b = 2 * (1 - red) * chroma, 2 * (1 - blue) * chroma
    linear = np.array(
        [
            [luma, 0, cr_to_r],
            [luma, -cb_to_b * blue / green, -cr_to_r * red / green],
            [luma, cb_to_b, 0],
        ]
    )
    return np.hstack([linear, -linear @ [[black], [128], [128]]])
