"""Which bucket a clip is packed for: pure arithmetic on its length and size."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

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
    for bucket in sorted(buckets, key=lambda each: -each.frames * each.width * each.height):
        reason = misfit(bucket, clip, max_crop)
        if reason is None:
            return bucket, None
        missed.add(reason)
    return None, f"fits no bucket ({', '.join(sorted(missed))}): {clip}"


def misfit(bucket: Bucket, clip: Footage, max_crop: float) -> str | None:
    """Why a clip does not fit a bucket; None where it does.

    It must last for the frames at the bucket's rate, if that has one, with none of its own taken twice; its picture,
    scaled down until it just covers the bucket, must not lose more than `max_crop`, and must not have to be enlarged.
    """
    if bucket.fps is not None and ceil((clip.duration_s - SLACK_S) * bucket.fps) < bucket.frames:
        return "too short"
    if bucket.fps is not None and bucket.frames > 1 and clip.num_frames * RATE_SLACK < bucket.fps * clip.duration_s:
        return "too few frames a second"
    if clip.width < bucket.width or clip.height < bucket.height:
        return "too small"
    aspects = sorted((clip.width / clip.height, bucket.width / bucket.height))
    return "of another aspect" if 1 - aspects[0] / aspects[1] > max_crop + 1e-9 else None
