"""A clip as the page shows it: which picture, under what words."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePosixPath

import pyarrow.parquet as pq

from curation.joined import num_rows
from curation.report.pictures import Shot
from curation.report.strips import take
from curation.tables import Corpus

COLUMNS = ["clip_id", "video_id", "start_pts", "end_pts", "start_s", "end_s", "path"]
MOST_REASONS = 3
"""Of a clip and set, beside each of its pictures; `stats/clips.parquet` has all."""


@dataclass(frozen=True)
class Clip:
    """A row of `stats/clips`."""

    shot: Shot
    clip_id: str
    path: str
    start_s: float
    end_s: float
    rejected_by: dict[str, list[str] | None]
    """Set -> the reasons; empty: kept, None: not filtered yet."""
    more: dict
    """Other columns that were asked for."""

    @property
    def file(self) -> str:
        """Name of the source file."""
        return PurePosixPath(self.path or "").name

    @property
    def words(self) -> str:
        """E.g. `film.mp4, 3.2 to 5.2 s`."""
        return f"{self.file}, {self.start_s or 0:.1f} to {self.end_s or 0:.1f} s"

    def verdict(self, rule_set: str) -> str:
        """What a set says of the clip, with the first few of its reasons."""
        reasons = self.rejected_by.get(rule_set)
        if not reasons:
            return "not filtered" if reasons is None else "kept"
        more = len(reasons) - MOST_REASONS
        return f"rejected by {', '.join(reasons[:MOST_REASONS])}{f' and {more} more' if more > 0 else ''}"


def clips_of(
    corpus: Corpus, clips: pq.ParquetFile, rows: Iterable[int], sets: Sequence[str], more: Sequence[str] = ()
) -> dict[int, Clip]:
    """Clips by their row numbers in `stats/clips`.

    Args:
        corpus: the tables.
        clips: `stats/clips`.
        rows: the numbers.
        sets: rule sets whose verdicts the table holds.
        more: other columns to read.
    """
    parts = corpus.parts("clips")
    starts = list(accumulate((num_rows(corpus, "clips", part) for part in parts), initial=0))
    reasons = {name: f"rejected_by_{name}" for name in sets}
    found = {}
    for number, row in take(clips, list(rows), [*COLUMNS, *reasons.values(), *more]).items():
        part = parts[bisect_right(starts, number) - 1]
        shot = Shot(part, row["video_id"], row["start_pts"] or 0, row["end_pts"] or 0)
        verdicts = {name: row[column] for name, column in reasons.items()}
        others = {name: row[name] for name in more}
        found[number] = Clip(shot, row["clip_id"], row["path"], row["start_s"], row["end_s"], verdicts, others)
    return found
