"""The size of an example, and which of several sizes a sample is shown in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CROP_SLACK = 0.1


@dataclass(frozen=True)
class Bucket:
    """Frames and size that every example of a batch shares.

    Raises:
        ValueError: a number is not above 0, or a side is odd.
    """

    num_frames: int
    """1 makes it a bucket of pictures."""
    height: int
    """Pixels; even."""
    width: int
    """Pixels; even."""

    def __post_init__(self) -> None:
        if min(self.num_frames, self.height, self.width) < 1 or self.height % 2 or self.width % 2:
            raise ValueError(f"a bucket has at least one frame and even sides above 0, not {self}")

    def __str__(self) -> str:
        """E.g. `16x320x576`: frames x height x width."""
        return f"{self.num_frames}x{self.height}x{self.width}"

    @property
    def is_image(self) -> bool:
        """Whether an example is one picture."""
        return self.num_frames == 1

    @property
    def volume(self) -> int:
        """Pixels of all frames."""
        return self.num_frames * self.height * self.width


def choose(fitting: np.ndarray, widths: np.ndarray, heights: np.ndarray, buckets: Sequence[Bucket]) -> np.ndarray:
    """The bucket of each sample: of those that it fits and that cut off least of it, the largest.

    Args:
        fitting: (S, B) bool.
        widths: (S,) of the samples, pixels.
        heights: likewise.
        buckets: B of them. Where they cut off almost the same, up to `CROP_SLACK` of the picture, size decides.

    Returns:
        (S,) int64, -1 where none fits.
    """
    aspects = (widths / heights)[:, None] / [bucket.width / bucket.height for bucket in buckets]
    cropped = np.where(fitting, 1 - np.minimum(aspects, 1 / aspects), np.inf)
    good = fitting & (cropped <= cropped.min(axis=1, keepdims=True) + CROP_SLACK)
    volumes = np.where(good, [bucket.volume for bucket in buckets], -1)
    largest = volumes == volumes.max(axis=1, keepdims=True)
    return np.where(fitting.any(axis=1), np.where(largest, cropped, np.inf).argmin(axis=1), -1)
