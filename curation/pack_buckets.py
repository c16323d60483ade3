"""Which bucket a clip is packed for: pure arithmetic on its length and size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.config import Bucket

SLACK_S = 1e-6
# Film runs at 23.976 frames a second and is called 24: one frame in a thousand may come twice.
RATE_SLACK = 1.002


@dataclass(frozen=True)
class Footage:
    """What of a clip decides on its bucket."""

    num_frames: int
    """Frames of the source."""
    duration_s: float
    """Seconds."""
    width: float
    """As displayed, without black bars if these are cut off, pixels."""
    height: float
    """Likewise."""

    def __str__(self) -> str:
        """In words."""
        rate = self.num_frames / self.duration_s if self.duration_s else 0.0
        return f"{self.num_frames} frames at {rate:.4g} a second, {self.width:.0f}x{self.height:.0f} px"


def choose(buckets: Sequence[Bucket], clip: Footage, max_crop: float) -> tuple[Bucket | None, str | None]:
    """The largest bucket that a clip fits, by frames x width x height; of equal ones the first.

    Args:
        buckets: at least one.
        clip: what it has.
        max_crop: share of the picture that may be cut off, 0..1.

    Returns:
        The bucket and None, or None and why there is none.
    """
    missed: set[str] = set()
    for bucket in largest_first(buckets):
        reason = misfit(bucket, clip, max_crop)
        if reason is None:
            return bucket, None
        missed.add(reason)
    return None, f"fits no bucket ({', '.join(sorted(missed))}): {clip}"


def largest_first(buckets: Sequence[Bucket]) -> list[Bucket]:
    """By frames x width x height; of equal ones in their order."""
    return sorted(buckets, key=lambda each: -each.frames * each.width * each.height)


def misfit(bucket: Bucket, clip: Footage, max_crop: float) -> str | None:
    """Why a clip does not fit a bucket; None where it does."""
    return next((reason for reason, missed in misses(bucket, clip, max_crop).items() if missed), None)


def misses(bucket: Bucket, clip: Footage, max_crop: float) -> dict[str, Any]:
    """For each reason whether a clip does not fit a bucket; of footage of (clips,) numbers, (clips,) bool.

    It must last for the frames at the bucket's rate, if that has one, with none of its own taken twice; its picture,
    scaled down until it just covers the bucket, must not lose more than `max_crop`, and must not have to be enlarged.
    """
    found = {}
    if bucket.fps is not None:
        found["too short"] = np.ceil((clip.duration_s - SLACK_S) * bucket.fps) < bucket.frames
    if bucket.fps is not None and bucket.frames > 1:
        found["too few frames a second"] = clip.num_frames * RATE_SLACK < bucket.fps * clip.duration_s
    found["too small"] = (clip.width < bucket.width) | (clip.height < bucket.height)
    wide, high = clip.width * bucket.height, clip.height * bucket.width  # the ratio of these is that of the aspects
    kept = 1 - max_crop - 1e-9
    found["of another aspect"] = (wide < kept * high) | (high < kept * wide)
    return found
