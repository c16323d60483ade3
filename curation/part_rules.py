"""What rule sets say of the clips of one part, and its verdicts: work for a `Crew`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from curation.block import is_blocked
from curation.joined import KEY
from curation.judge import Reasons, sum_up
from curation.judged import Judged
from curation.loud import count_spoken
from curation.selectable import LENGTH, Selectable
from curation.tables import Corpus
from shards.schema import VERDICTS


@dataclass(frozen=True)
class Found:
    """What was found in one part."""

    clips: int
    bits: list[np.ndarray]
    """For each set, as `Reasons.judge` packs them."""
    spoken: list[np.ndarray]
    """For each set what `count_spoken` says."""
    members: dict[str, pa.Table]
    """Kind of duplicates -> clips that have some: `group`, `rank`, and `row` in the part."""


@dataclass(frozen=True)
class JudgePart:
    """Reads a part once, and says what its clips fail in each set; all but duplicates, which other parts decide too."""

    columns: Selectable
    sets: Sequence[Judged]
    entries: frozenset[str]
    """Of the block list."""
    videos: frozenset[str]
    """The blocked ones."""

    def __call__(self, part: str) -> Found:
        """What was found in this part."""
        rows = self.columns.read(part, self._used)
        blocked = is_blocked(rows, self.entries, self.videos).to_numpy() if self.entries else None
        told = [_judge(judged, rows, blocked) for judged in self.sets]
        members = {kind: _members(rows, names) for kind, names in self._kinds.items()}
        return Found(len(rows), [bits for bits, _ in told], [spoken for _, spoken in told], members)

    @cached_property
    def _kinds(self) -> dict[str, dict[str, str]]:
        return {judged.kind: judged.duplicate_columns() for judged in self.sets if judged.kind}

    @cached_property
    def _used(self) -> list[str]:
        used = [column for judged in self.sets for column in judged.columns.sources(judged.used())]
        used += [column for names in self._kinds.values() for column in names]
        return [*used, *([KEY, "video_id"] if self.entries else [])]


@dataclass(frozen=True)
class TellPart:
    """Sums up what a set says of the clips of a part, and writes it."""

    corpus: Corpus
    table: str
    """Of the verdicts."""
    reasons: Reasons
    write: bool

    def __call__(self, part: str, bits: np.ndarray) -> tuple[dict[bytes, int], dict[bytes, float]]:
        """Clips and seconds by what was said of them, see `Summary`.

        Args:
            part: its name.
            bits: (rows, num_bytes) uint8, what is said of each clip of the part.
        """
        clips = self.corpus.read("clips", part, [LENGTH, *([KEY] if self.write else [])])
        summary, rejected_by = sum_up(self.reasons, bits, clips[LENGTH].fill_null(0.0).to_numpy())
        if self.write:
            verdicts = clips.select([KEY]).append_column("rejected_by", rejected_by)
            self.corpus.write(self.table, part, verdicts, VERDICTS)
        return summary.clips, summary.seconds


def _judge(judged: Judged, rows: pa.Table, blocked: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    rows = judged.columns.complete(rows, judged.used())
    return judged.reasons.judge(rows, blocked), count_spoken(judged.rule_set.rules, rows)


def _members(rows: pa.Table, names: dict[str, str]) -> pa.Table:
    """Clips that have duplicates in one sense."""
    found = rows.select(list(names)).rename_columns(list(names.values()))
    found = found.append_column("row", pa.array(np.arange(len(rows))))
    return found.filter(found["group"].is_valid())
