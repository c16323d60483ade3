"""Makes every frame small, from its luma and chroma planes: what detectors and signals look at."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import cv2
import numpy as np

from shards.planes import planar, planes, rgb_matrix
from shards.video import Frame

THUMBNAIL = (48, 27)
"""Width and height of what every frame is reduced to, whatever its shape: TransNetV2's input."""
DETECTION_SHORT_SIDE_PX = 90


@dataclass(frozen=True)
class SmallFrame:
    """A frame as stored (not turned upright), small."""

    pts: int
    """Presentation time in ticks of the video's time base."""
    rgb: np.ndarray
    """uint8 (27, 48, 3) RGB."""
    frame: Frame
    """The frame itself, full-size: whoever keeps it keeps megabytes."""

    @cached_property
    def luma(self) -> np.ndarray:
        """uint8 (27, 48), full range."""
        return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY)

    @cached_property
    def bgr(self) -> np.ndarray:
        """uint8 (H, W, 3) BGR with a short side of 90 px, never enlarged, for detectors that need more than `rgb`."""
        width, height = self.frame.raw.width, self.frame.raw.height
        scale = min(1.0, DETECTION_SHORT_SIDE_PX / min(width, height))
        return shrink(self.frame, (max(1, round(width * scale)), max(1, round(height * scale))), "bgr24")


def small_frame(frame: Frame) -> SmallFrame:
    """Reduces a frame to its thumbnail."""
    return SmallFrame(frame.pts, shrink(frame, THUMBNAIL), frame)


def shrink(
    frame: Frame, size: tuple[int, int], pixel_format: Literal["rgb24", "bgr24"] = "rgb24", is_exact: bool = True
) -> np.ndarray:
    """The stored picture reduced, not turned: uint8 (height, width, 3); enlarged where it is smaller.

    Planes are reduced before colours are converted, so the full-size picture is only read, never written.

    Args:
        frame: any frame.
        size: width and height in pixels.
        pixel_format: order of the colours.
        is_exact: else colours may be off by a level. That is quicker, but grey gets a tint, whose hue jumps from frame
            to frame.
    """
    raw = planar(frame.raw)
    large, bits = planes(raw)
    small = [_reduce(plane, size) for plane in large]
    if bits > 8:
        small = [cv2.convertScaleAbs(plane, alpha=2.0 ** (8 - bits)) for plane in small]
    small += [np.full_like(small[0], 128)] * (3 - len(small))
    matrix = rgb_matrix(raw)
    return _colours(cv2.merge(small), matrix if pixel_format == "rgb24" else matrix[::-1], is_exact)


def _colours(yuv: np.ndarray, matrix: np.ndarray, is_exact: bool) -> np.ndarray:
    if not is_exact:
        return cv2.transform(yuv, matrix)
    colours = np.maximum(cv2.transform(yuv.astype(np.float32), matrix), 0)
    return cv2.convertScaleAbs(colours).reshape(yuv.shape)  # rounds, and cuts off at 255


def _reduce(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Halves while that is far too large, for halving is cheap, then fits in two steps."""
    width, height = size
    while plane.shape[1] >= 4 * width and plane.shape[0] >= 4 * height:
        if plane.shape[0] >= 8 * height:
            plane = plane[::2]  # every second line does; it is one field where the picture is interlaced
        half = (plane.shape[1] // 2, plane.shape[0] // 2)
        plane = cv2.resize(plane[: 2 * half[1], : 2 * half[0]], half, interpolation=cv2.INTER_AREA)
    if plane.shape[1] >= 2 * width and plane.shape[0] >= 2 * height:
        plane = cv2.resize(plane, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
        return cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)
