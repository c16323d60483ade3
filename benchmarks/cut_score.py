"""How good found boundaries are: precision, recall and F1 against what is known, all in frames counted from 0."""

from dataclasses import dataclass, field, fields

import numpy as np

from curation.scenes import ClipRule, Footage, cut_scenes
from curation.splitter import Boundaries

TOLERANCE_FRAMES = 2


@dataclass(frozen=True)
class Truth:
    """What is known of a video."""

    cuts: list[int]
    """First frame of each new scene."""
    gradual: list[tuple[int, int]]
    """First and last frame of each gradual transition, both inside."""
    ambiguous: list[int] = field(default_factory=list)
    """Frames near which a find is neither right nor wrong."""


@dataclass(frozen=True)
class Counts:
    """What was there and what was found; adds up over videos."""

    cuts: int = 0
    cuts_found: int = 0
    gradual: int = 0
    gradual_found: int = 0
    false: int = 0
    suspected: int = 0
    gradual_frames: int = 0
    gradual_frames_in_clips: int = 0
    frames: int = 0
    clip_frames: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def figures(self) -> dict[str, float | int]:
        """Precision, recall and F1 of all boundaries together, and what they are made of."""
        found, wanted = self.cuts_found + self.gradual_found, self.cuts + self.gradual
        return {
            "precision": _share(found, found + self.false),
            "recall": _share(found, wanted),
            "f1": _share(2 * found, found + self.false + wanted),
            "cut_recall": _share(self.cuts_found, self.cuts),
            "gradual_recall": _share(self.gradual_found, self.gradual),
            "false": self.false,
            "suspected": self.suspected,
            "transition_frames_in_clips": _share(self.gradual_frames_in_clips, self.gradual_frames, none=0.0),
            "frames_in_clips": _share(self.clip_frames, self.frames),
        }


def _share(part: int, whole: int, none: float = 1.0) -> float:
    return round(part / whole, 4) if whole else none


def count(found: Boundaries, pts: np.ndarray, truth: Truth, rule: ClipRule) -> Counts:
    """Compares what was found in a video with what is known.

    A hard cut is found by one find within two frames of it. Each find that is left and lies in a gradual transition, or
    within two frames of it, finds that; the rest are false. A found cut counts as its frame, a found transition as its
    middle frame. What is suspected finds nothing and is not false; it only keeps frames out of clips.

    Args:
        found: in ticks.
        pts: int64 (num_frames,), times of all frames.
        truth: in frames.
        rule: how clips are made of scenes, in ticks.
    """
    finds = finds_of(found, pts)
    left = _without(finds, truth.cuts)
    near = [[f for f in left if _inside(f, span)] for span in truth.gradual]
    explained = {f for finds_in_span in near for f in finds_in_span}
    explained |= {f for f in left for a in truth.ambiguous if abs(f - a) <= TOLERANCE_FRAMES}
    return Counts(
        cuts=len(truth.cuts),
        cuts_found=len(finds) - len(left),
        gradual=len(truth.gradual),
        gradual_found=sum(map(bool, near)),
        false=len(left) - len(explained),
        suspected=len(found.suspected_pts),
        **_frames_in_clips(found, pts, truth, rule),
    )


def finds_of(found: Boundaries, pts: np.ndarray) -> list[int]:
    """Each cut as its frame, each transition as its middle frame, sorted, none twice."""
    frames = np.searchsorted(pts, found.cuts_pts).tolist()
    frames += [int(np.searchsorted(pts, span).sum()) // 2 for span in found.transitions_pts]
    return sorted(set(frames))


def _without(finds: list[int], cuts: list[int]) -> list[int]:
    """The finds that find no cut, in order; each cut takes the first that is near enough."""
    left, waiting = [], sorted(cuts)
    for find in finds:
        while waiting and waiting[0] < find - TOLERANCE_FRAMES:
            waiting.pop(0)
        if waiting and waiting[0] <= find + TOLERANCE_FRAMES:
            waiting.pop(0)
        else:
            left.append(find)
    return left


def _inside(find: int, span: tuple[int, int]) -> bool:
    return span[0] - TOLERANCE_FRAMES <= find <= span[1] + TOLERANCE_FRAMES


def _frames_in_clips(found: Boundaries, pts: np.ndarray, truth: Truth, rule: ClipRule) -> dict[str, int]:
    gradual, clipped = np.zeros(len(pts), bool), np.zeros(len(pts), bool)
    for first, last in truth.gradual:
        gradual[first : last + 1] = True
    end_pts = int(2 * pts[-1] - pts[-2]) if len(pts) > 1 else int(pts[-1]) + 1
    for start, end in cut_scenes(Footage(pts, end_pts), found, rule).clips:
        clipped[np.searchsorted(pts, start) : np.searchsorted(pts, end)] = True
    return {
        "gradual_frames": int(gradual.sum()),
        "gradual_frames_in_clips": int((gradual & clipped).sum()),
        "frames": len(pts),
        "clip_frames": int(clipped.sum()),
    }
