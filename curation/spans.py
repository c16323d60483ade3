"""The user's spans on the frames of a video: seconds become ticks, and what cannot be is told."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from curation.scenes import PtsSpan

SecondsSpan = tuple[float, float]
"""Half-open, counted from the video's first frame; infinity is its end."""
ROUNDING_S = 0.001


def place_spans(
    spans: Sequence[SecondsSpan], pts: np.ndarray, end_pts: int, time_base: Fraction
) -> tuple[list[PtsSpan], list[str]]:
    """Puts each edge on the nearest frame, since seconds in tables are rounded.

    Args:
        spans: in any order; equal ones count once.
        pts: int64 (num_frames,), rising times of all frames.
        end_pts: end of the last frame.
        time_base: seconds per tick.

    Returns:
        The spans that can be cut, sorted, apart from each other; and in words those that cannot, or not as they are:
        reversed, past the end, or overlapping one that starts before them.
    """
    edges, first = np.append(pts, end_pts), int(pts[0])
    whole_s = float((end_pts - first) * time_base)
    placed: list[PtsSpan] = []
    problems: list[str] = []
    forward = [span for span in spans if 0 <= span[0] < span[1]]  # NaN does not, and cannot be sorted
    problems += sorted({f"{_told(span)}: does not go forward from 0" for span in spans if span not in forward})
    for start_s, end_s in sorted(set(forward)):
        told = _told((start_s, end_s))
        start, end = (_nearest(edges, first + float(seconds / time_base)) for seconds in (start_s, end_s))
        if start == end:
            problems.append(f"{told}: holds no frame; the video ends at {whole_s:.3f} s")
        elif placed and start < placed[-1][1]:
            problems.append(f"{told}: overlaps the span before it")
        else:
            placed.append((start, end))
            if whole_s + ROUNDING_S < end_s < math.inf:
                problems.append(f"{told}: cut where the video ends, at {whole_s:.3f} s")
    return placed, problems


def _told(span: SecondsSpan) -> str:
    return f"{span[0]:.3f} to {span[1]:.3f} s"


def _nearest(edges: np.ndarray, time: float) -> int:
    index = int(np.searchsorted(edges, time).clip(1, len(edges) - 1))
    before, after = int(edges[index - 1]), int(edges[index])
    return before if time - before < after - time else after
