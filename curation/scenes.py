"""From boundaries to clips: arithmetic on ticks, so that every tick of a video is accounted for."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from curation.splitter import Boundaries


@dataclass(frozen=True)
class ClipRule:
    """What makes a scene a clip; all in ticks of the video's time base."""

    min_ticks: int
    max_ticks: int
    trim_ticks: int


@dataclass(frozen=True)
class Cutting:
    """Clips of a video, and where the rest of its ticks went; the four sums add up to end - first pts."""

    clips: list[tuple[int, int]]
    """Half-open spans that start on a frame and end before a frame, or at the end of the video."""
    clip_ticks: int
    transition_ticks: int
    trimmed_ticks: int
    short_ticks: int


def cut_scenes(pts: np.ndarray, end_pts: int, boundaries: Boundaries, rule: ClipRule) -> Cutting:
    """Divides a video into clips.

    Args:
        pts: int64 (num_frames,), rising times of all frames.
        end_pts: end of the last frame.
        boundaries: cuts and gradual transitions.
        rule: lengths and trim.
    """
    scenes = _scenes(int(pts[0]), end_pts, boundaries)
    clips: list[tuple[int, int]] = []
    trimmed = short = 0
    for start, end in scenes:
        first = _frame_at_or_after(pts, start + rule.trim_ticks, end_pts)
        last = _frame_at_or_after(pts, end - rule.trim_ticks, end_pts) if rule.trim_ticks else end
        if last - first < max(1, rule.min_ticks):
            short += end - start
            continue
        trimmed += (first - start) + (end - last)
        clips += _divide(pts, first, last, rule.max_ticks)
    inside = sum(end - start for start, end in clips)
    total = end_pts - int(pts[0])
    return Cutting(clips, inside, total - inside - trimmed - short, trimmed, short)


def _scenes(first: int, end: int, boundaries: Boundaries) -> list[tuple[int, int]]:
    """What lies between cuts and outside transitions, half-open."""
    ends = [(cut, cut) for cut in boundaries.cuts_pts] + list(boundaries.transitions_pts)
    scenes, start = [], first
    for stop, resume in sorted(ends):
        if stop > start:
            scenes.append((start, min(stop, end)))
        start = max(start, resume)
    return [*scenes, (start, end)] if start < end else scenes


def _frame_at_or_after(pts: np.ndarray, time: int, end: int) -> int:
    index = int(np.searchsorted(pts, time, side="left"))
    return int(pts[index]) if index < len(pts) else end


def _divide(pts: np.ndarray, start: int, end: int, max_ticks: int) -> list[tuple[int, int]]:
    """Equal pieces, each at most `max_ticks` up to the distance of two frames; nothing is lost between them."""
    num_pieces = max(1, -(-(end - start) // max(1, max_ticks)))
    ideal = [start + (end - start) * piece // num_pieces for piece in range(1, num_pieces)]
    edges = sorted({start, end, *(_frame_at_or_after(pts, time, end) for time in ideal)})
    return list(pairwise(edges))
