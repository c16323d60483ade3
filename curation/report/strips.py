"""Which clips to show of a score: those nearest to a line on both sides, the lowest and the highest."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.report.lines import Line
from curation.streamed import finite, row_groups


@dataclass(frozen=True)
class Strip:
    """Clips in the order in which one meets them, going up or down a score from some value on."""

    column: str
    start: float
    """The value to start from; infinite for the ends of the score."""
    upward: bool
    inclusive: bool = True
    """Whether clips with just this value count."""

    def distances(self, values: np.ndarray) -> np.ndarray:
        """How far on each of (rows,) values lies, (rows,); NaN where it lies on the other side, or there is none."""
        sign = 1 if self.upward else -1
        if math.isinf(self.start):
            return sign * values
        away = sign * (values - self.start)
        return np.where((away >= 0) if self.inclusive else (away > 0), away, np.nan)


@dataclass(frozen=True)
class Found:
    """What a strip found."""

    total: int
    """Clips on this side."""
    rows: np.ndarray
    """(at most as many as asked for,) row numbers in `stats/clips`, first met first."""
    values: np.ndarray
    """(at most as many as asked for,) their values."""


def ends(column: str) -> tuple[Strip, Strip]:
    """The lowest and the highest clips."""
    return Strip(column, -math.inf, True), Strip(column, math.inf, False)


def sides(line: Line) -> tuple[Strip, Strip]:
    """The clips nearest to a line: those that fail it and those that pass it."""
    failing = Strip(line.column, line.limit, not line.fails_below, inclusive=False)
    return failing, Strip(line.column, line.limit, line.fails_below)


def find(clips: pq.ParquetFile, counts: Mapping[Strip, int]) -> dict[Strip, Found]:
    """The first so many clips of each strip, in one pass; among equals a hash of the id decides.

    Holds one group of rows at a time.
    """
    best = {strip: _Best(count) for strip, count in counts.items()}
    columns = sorted({strip.column for strip in counts})
    start = 0
    for rows in row_groups(clips, ["clip_id", *columns]):
        keys = np.array([crc32(clip_id.encode()) for clip_id in rows["clip_id"].to_pylist()], np.uint32)
        values = {name: finite(rows[name]) for name in columns}
        for strip, kept in best.items():
            kept.add(strip.distances(values[strip.column]), values[strip.column], keys, start)
        start += len(rows)
    return {strip: kept.found() for strip, kept in best.items()}


def take(clips: pq.ParquetFile, rows: Sequence[int], columns: list[str]) -> dict[int, dict]:
    """These rows of `stats/clips`, by their numbers."""
    wanted, found = np.unique(np.array(rows, np.int64)), {}
    for first, table in _numbered(clips, columns, wanted):
        mine = wanted[(wanted >= first) & (wanted < first + len(table))]
        found |= dict(zip(mine.tolist(), table.take(pa.array(mine - first)).to_pylist(), strict=True))
    return found


def _numbered(clips: pq.ParquetFile, columns: list[str], wanted: np.ndarray) -> Iterator[tuple[int, pa.Table]]:
    """Those groups of rows, with the number of their first row, in which some row is wanted."""
    first = 0
    for group in range(clips.num_row_groups):
        length = clips.metadata.row_group(group).num_rows
        if np.any((wanted >= first) & (wanted < first + length)):
            yield first, clips.read_row_group(group, columns=columns)
        first += length


class _Best:
    """The clips of least distance so far: rows of distance, key, row number, value."""

    def __init__(self, count: int) -> None:
        self._count, self._total, self._rows = count, 0, np.empty((4, 0))

    def add(self, distances: np.ndarray, values: np.ndarray, keys: np.ndarray, start: int) -> None:
        near = np.flatnonzero(~np.isnan(distances))
        self._total += len(near)
        if len(near) > self._count:
            near = near[distances[near] <= np.partition(distances[near], self._count - 1)[self._count - 1]]
        rows = np.hstack([self._rows, np.stack([distances[near], keys[near], near + start, values[near]])])
        self._rows = rows[:, np.lexsort(rows[2::-1])[: self._count]]

    def found(self) -> Found:
        return Found(self._total, self._rows[2].astype(np.int64), self._rows[3])
