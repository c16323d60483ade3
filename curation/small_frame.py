"""Makes every frame small, from its luma and chroma planes: what detectors and signals look at."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from shards.planes import planes, rgb_matrix
from shards.video import Frame

THUMBNAIL = (48, 27)
"""Width and height of what every frame is reduced to, whatever its shape: TransNetV2's input."""
DETECTION_SHORT_SIDE_PX = 90
MIN_SIDE_TO_CROP_PX = 200
LARGEST_STEP = 3  # the last step, which fits the size, blurs less when it is large


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
        return shrink(self.frame, (max(1, round(width * scale)), max(1, round(height * scale))))[..., ::-1].copy()


def small_frame(frame: Frame) -> SmallFrame:
    """Reduces a frame to its thumbnail."""
    return SmallFrame(frame.pts, shrink(frame, THUMBNAIL), frame)


def shrink(frame: Frame, size: tuple[int, int]) -> np.ndarray:
    """The stored picture reduced by area: uint8 (height, width, 3) RGB; enlarged where it is smaller.

    Planes are reduced before colours are converted, so the full-size picture is only read, never written.

    Args:
        frame: any frame.
        size: width and height in pixels.
    """
    found = planes(frame.raw)
    if found is None:  # RGB, palettes, packed formats: rare, and libav does it in one go
        return frame.scalers.scale(frame.raw, size, "rgb24", "AREA")
    small = [_reduce(plane, size) for plane in found[0]]
    if found[1] > 8:
        small = [cv2.convertScaleAbs(plane, alpha=2.0 ** (8 - found[1])) for plane in small]
    small += [np.full_like(small[0], 128)] * (3 - len(small))
    # In 8 bits cv2.transform calculates too coarsely: grey would be tinted, and its hue jump from frame to frame.
    colours = cv2.transform(cv2.merge(small).astype(np.float32), rgb_matrix(frame.raw))
    return np.clip(colours + np.float32(0.5), 0, 255).astype(np.uint8)


def _reduce(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Halves as often as possible, which is far cheaper than one large step, then fits."""
    height, width = plane.shape
    while (
        width >= LARGEST_STEP * size[0]
        and height >= LARGEST_STEP * size[1]
        and _can_halve(width)
        and _can_halve(height)
    ):
        width, height = width // 2, height // 2
        plane = cv2.resize(plane[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return plane if (width, height) == size else cv2.resize(plane, size, interpolation=cv2.INTER_AREA)


def _can_halve(side_px: int) -> bool:
    """An odd line is left out where that shifts the picture by less than half a percent."""
    return side_px % 2 == 0 or side_px >= MIN_SIDE_TO_CROP_PX
