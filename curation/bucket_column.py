"""The bucket of many clips at a time, where `pack_plan.bucket_of` looks at one: rules speak of all of them."""

import numpy as np
import pyarrow as pa

from curation.bars import inside
from curation.config import PackConfig
from curation.pack_buckets import Footage, largest_first, misses
from curation.scorers.frame import CROP


def bucket_column(settings: PackConfig, rows: pa.Table) -> pa.Array:
    """The bucket that each clip is packed for, (rows,) string; null where it fits none, or its size is not known.

    Args:
        settings: how the set is packed, with buckets.
        rows: of `clips`: frames, seconds and size, and the shares of black bars if they are known.
    """
    buckets = largest_first(settings.buckets or [])
    frames, seconds, width, height = (_numbers(rows, name) for name in ("num_frames", "duration_s", "width", "height"))
    if settings.crop_bars and set(CROP) <= set(rows.column_names):
        sides = np.stack([_numbers(rows, name) for name in CROP])
        crop = inside(*np.where(np.isnan(sides).any(axis=0), [[0.0], [0.0], [1.0], [1.0]], sides))  # (4, rows)
        width, height = width * (crop.right - crop.left), height * (crop.bottom - crop.top)
    place = np.full(len(rows), len(buckets))
    for number in reversed(range(len(buckets))):
        missed = misses(buckets[number], Footage(frames, seconds, width, height), settings.bucket_max_crop)  # pyright: ignore[reportArgumentType]
        place[~np.logical_or.reduce(list(missed.values()))] = number
    place[np.isnan(frames + seconds + width + height)] = len(buckets)
    return pa.array([*map(str, buckets), None], pa.string()).take(pa.array(place))


def _numbers(rows: pa.Table, name: str) -> np.ndarray:
    return rows[name].cast(pa.float64()).to_numpy()
