"""Black bars that are cut off when a clip is packed, as the scorer `Frame` found them."""

from curation.scorers.frame import CROP
from shards.fit import Crop
from shards.source import VideoError

MIXED_LINE = 1 / 360  # of a side: a line of proxy frames of the default size


def crop_of(scores: dict[str, float]) -> Crop | None:
    """The picture inside its bars, less one line of a proxy frame at each bar, which may be of both; None without bars.

    Raises:
        VideoError: a score is missing.
    """
    missing = [name for name in CROP if name not in scores]
    if missing:
        raise VideoError(f"its black bars are not known: no score {', '.join(missing)}")
    crop = inside(*(scores[name] for name in CROP))
    return None if crop == Crop(0, 0, 1, 1) else crop


def inside(left, top, right, bottom) -> Crop:
    """What is inside bars at these shares of the sides, less a line at each; of (clips,) shares, (clips,) of each."""
    starts = [side + MIXED_LINE * (side > 0) for side in (left, top)]
    return Crop(*starts, *(side - MIXED_LINE * (side < 1) for side in (right, bottom)))


def crop_known(scores: dict[str, float | None]) -> Crop | None:
    """The same, from columns that may be null; None where there are no bars, or that is not known."""
    known = {name: value for name in CROP if (value := scores.get(name)) is not None}
    return crop_of(known) if len(known) == len(CROP) else None
