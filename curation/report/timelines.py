"""Videos laid out in time: where their scenes begin, what became clips, what lies in transitions or is lost."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pyarrow.compute as pc

from curation.joined import read_mirror
from curation.report.pictures import Shot
from curation.tables import Corpus

NUM_VIDEOS = 12
NUM_FRAMES = 8
MAX_SPANS = 400
"""Clips drawn of one video."""
TRANSITIONS = {"transitions_pts": "transition", "suspected_pts": "perhaps a transition"}
"""Columns of `videos`, and what their spans are called."""
COLUMNS = ["video_id", "path", "first_pts", "end_pts", "duration_s", "cuts_pts", *TRANSITIONS]


@dataclass(frozen=True)
class Span:
    """A stretch of a video, in percent of its length."""

    start: float
    width: float
    words: str = ""
    kept: dict[str, bool | None] = field(default_factory=dict)
    """Of a clip, set -> whether it is kept."""

    @property
    def verdicts(self) -> dict[bool | None, list[str]]:
        """Whether it is kept -> the sets that say so: what is drawn of a clip does not grow with the sets."""
        found: dict[bool | None, list[str]] = {}
        for name, kept in self.kept.items():
            found.setdefault(kept, []).append(name)
        return found


@dataclass(frozen=True)
class Timeline:
    """A video."""

    path: str
    duration_s: float
    num_clips: int
    num_cuts: int
    cuts: list[float]
    """In percent."""
    transitions: list[Span]
    clips: list[Span]
    shots: list[Shot]
    """At even distances."""


def timelines(corpus: Corpus, sets: Sequence[str]) -> list[Timeline]:
    """Those videos that were split whose ids, which are hashes of their content, are smallest."""
    chosen: list[tuple[str, str]] = []
    for part in corpus.parts("videos"):
        videos = corpus.read("videos", part, ["video_id", "status", "duration_s"])
        is_long = pc.and_(pc.equal(videos["status"], "ok"), pc.greater(videos["duration_s"], 0))
        ids = videos.filter(is_long)["video_id"].to_pylist()
        chosen = heapq.nsmallest(NUM_VIDEOS, [*chosen, *((video_id, part) for video_id in ids)])
    return [_timeline(corpus, part, video_id, sets) for video_id, part in chosen]


def _timeline(corpus: Corpus, part: str, video_id: str, sets: Sequence[str]) -> Timeline:
    videos = corpus.read("videos", part, COLUMNS)
    video = videos.filter(pc.equal(videos["video_id"], video_id)).to_pylist()[0]
    first, end = video["first_pts"] or 0, video["end_pts"] or 0
    scale = 100 / max(1, end - first)
    clips = _clips(corpus, part, video_id, sets)
    step = (end - first) / NUM_FRAMES
    bounds = [round(first + step * k) for k in range(NUM_FRAMES + 1)]
    return Timeline(
        video["path"] or "",
        video["duration_s"],
        len(clips),
        len(video["cuts_pts"] or []),
        [(pts - first) * scale for pts in (video["cuts_pts"] or [])[:MAX_SPANS]],
        _transitions(video, first, scale)[:MAX_SPANS],
        [_span(clip, first, scale, sets) for clip in clips[:MAX_SPANS]],
        [Shot(part, video_id, *pair) for pair in pairwise(bounds)],
    )


def _transitions(video: dict, first: int, scale: float) -> list[Span]:
    found = [(span, words) for name, words in TRANSITIONS.items() for span in video[name] or []]
    return [replace(_span(span, first, scale), words=words) for span, words in found]


def _clips(corpus: Corpus, part: str, video_id: str, sets: Sequence[str]) -> list[dict]:
    if not corpus.has("clips", part):
        return []
    rows = corpus.read("clips", part, ["clip_id", "video_id", "start_pts", "end_pts", "start_s", "end_s"])
    for name in sets:
        if corpus.has(f"verdicts/{name}", part):
            verdicts = read_mirror(corpus, f"verdicts/{name}", part, rows["clip_id"], ["rejected_by"])
            rows = rows.append_column(name, verdicts["rejected_by"])
    return rows.filter(pc.equal(rows["video_id"], video_id)).to_pylist()


def _span(row: dict, first: int, scale: float, sets: Sequence[str] = ()) -> Span:
    start, end = row["start_pts"] or first, row["end_pts"] or first
    kept = {name: None if row.get(name) is None else not row[name] for name in sets}
    words = f"{row['start_s'] or 0:.1f} to {row['end_s'] or 0:.1f} s" if "start_s" in row else ""
    return Span((start - first) * scale, (end - start) * scale, words, kept)
