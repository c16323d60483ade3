"""From boundaries to clips: arithmetic on ticks, so that every tick of a video is accounted for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from curation.splitter import Boundaries

PtsSpan = tuple[int, int]
"""Half-open, ticks."""


@dataclass(frozen=True)
class ClipRule:
    """What makes a scene a clip; all in ticks of the video's time base."""

    min_ticks: int
    max_ticks: int
    trim_ticks: int


@dataclass(frozen=True)
class Footage:
    """What of a video there is to cut."""

    pts: np.ndarray
    """int64 (num_frames,), rising times of all frames."""
    end_pts: int
    """End of the last frame."""
    holes: Sequence[PtsSpan] = ()
    """Where frames are missing or damaged; an empty one where frames are missing that took no time."""
    wanted: Sequence[PtsSpan] | None = None
    """Spans of the user, sorted, apart from each other: nothing else becomes a clip. None wants everything."""
    keyframes: np.ndarray | None = None
    """int64 (num_keyframes,): clips start on one of these and end before one, or at the end. None takes any frame."""


@dataclass(frozen=True)
class Cutting:
    """Clips of a video, and where the rest of its ticks went; the five sums add up to end - first pts."""

    clips: list[PtsSpan]
    """They start on a frame and end before a frame, before a hole, or at the end of the video."""
    clip_ticks: int
    transition_ticks: int
    trimmed_ticks: int
    """At both sides of scenes, outside the user's spans, and what of a scene fits no clip."""
    short_ticks: int
    failed_ticks: int


def cut_scenes(footage: Footage, boundaries: Boundaries, rule: ClipRule) -> Cutting:
    """Divides a video into clips.

    Holes, transitions, suspected ones too, and what no span wants belong to no scene. Of a scene that is long enough
    after trimming become clips what `footage.keyframes` allows; the rest is trimmed.
    """
    first, end = int(footage.pts[0]), footage.end_pts
    cuts = [(cut, cut) for cut in boundaries.cuts_pts]
    lost = list(footage.holes)
    gradual = [*lost, *boundaries.transitions_pts, *boundaries.suspected_pts]
    scenes = between(first, end, [*gradual, *cuts, *_unwanted(footage)])
    clips, short = [], 0
    for start, stop in scenes:
        found = _clips(footage, start, stop, rule)
        short += 0 if found is not None else stop - start
        clips += found or []
    in_clips, failed = _length(clips), end - first - _length(between(first, end, lost))
    transition = end - first - _length(between(first, end, gradual)) - failed
    trimmed = end - first - in_clips - failed - transition - short
    return Cutting(clips, in_clips, transition, trimmed, short, failed)


def between(first: int, end: int, gaps: Iterable[PtsSpan]) -> list[PtsSpan]:
    """What of first..end lies between gaps; an empty gap divides and takes nothing."""
    found, start = [], first
    for stop, resume in sorted(gaps):
        if start < min(stop, end):
            found.append((start, min(stop, end)))
        start = max(start, resume)
    return [*found, (start, end)] if start < end else found


def joined(spans: Iterable[PtsSpan], tolerance: int = 0) -> list[PtsSpan]:
    """Sorted spans; those no further apart than the tolerance, in ticks, become one."""
    found: list[PtsSpan] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1] + tolerance:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _length(spans: Iterable[PtsSpan]) -> int:
    return sum(end - start for start, end in spans)


def _unwanted(footage: Footage) -> list[PtsSpan]:
    """What lies before, between and after the user's spans; empty where one follows the other at once."""
    if footage.wanted is None:
        return []
    starts = [start for start, _ in footage.wanted] + [footage.end_pts]
    ends = [int(footage.pts[0])] + [end for _, end in footage.wanted]
    return list(zip(ends, starts, strict=True))


def _clips(footage: Footage, start: int, stop: int, rule: ClipRule) -> list[PtsSpan] | None:
    """Clips of one scene; None where it is too short."""
    pts, end = footage.pts, footage.end_pts
    first = _frame_at_or_after(pts, start + rule.trim_ticks, end)
    last = min(stop, _frame_at_or_after(pts, stop - rule.trim_ticks, end)) if rule.trim_ticks else stop
    if last - first < max(1, rule.min_ticks):
        return None
    if footage.keyframes is None:
        edges = pts[np.searchsorted(pts, first) : np.searchsorted(pts, last)]
    else:
        edges = footage.keyframes[(footage.keyframes >= first) & (footage.keyframes <= last)]
    if footage.keyframes is None or last == end:
        edges = np.append(edges, last)
    return _divide(np.unique(edges), rule)


def _frame_at_or_after(pts: np.ndarray, time: int, end: int) -> int:
    index = int(np.searchsorted(pts, time, side="left"))
    return int(pts[index]) if index < len(pts) else end


def _divide(edges: np.ndarray, rule: ClipRule) -> list[PtsSpan]:
    """Pieces from edge to edge, each within the rule's lengths, as equal as the edges allow, with no rest if they can.

    Args:
        edges: int64, rising; where a clip may start or end.
        rule: lengths.
    """
    clips, index = [], 0
    while index < len(edges) - 1:
        start, end = int(edges[index]), int(edges[-1])
        low = np.searchsorted(edges, start + max(1, rule.min_ticks))
        high = np.searchsorted(edges, start + rule.max_ticks, side="right")
        if low >= high:  # what stands here is too long or too short for a clip
            index += 1
            continue
        num_pieces = -(-(end - start) // rule.max_ticks)
        uneven = np.abs(edges[low:high] - start - (end - start) / num_pieces)
        rests = end - edges[low:high]
        leaves_short = (rests > 0) & (rests < rule.min_ticks)
        index = int(low + np.lexsort((uneven, leaves_short))[0])
        clips.append((start, int(edges[index])))
    return clips
