"""`stats/histograms.parquet`: how every score is spread, over all clips and over those that each set keeps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.joined import is_number
from curation.streamed import finite, row_groups
from shards.schema import field

NUM_BINS = 48
TAIL = 0.01
"""Share of values at either side that go into one bin, where they lie far out."""
FAR = 1.5
"""They do where all values span more than so many times what the others span."""
SAMPLE_ROWS = 100_000
NO_SCORES = {"start_pts", "end_pts", "time_base_num", "time_base_den", "start_s", "end_s"}
HISTOGRAMS = pa.schema(
    [
        field("score", pa.string(), "column of `stats/clips`"),
        field("rule_set", pa.string(), "the set that keeps or rejects; null while there is none"),
        field(
            "start",
            pa.float64(),
            "low edge of the bin, included; null in the row of values that are null or not finite",
            "of the score",
        ),
        field("end", pa.float64(), "high edge, excluded but in the last bin; null likewise", "of the score"),
        field("clips", pa.int64(), "clips with such a value; over all rows of a score and set: all clips"),
        field("kept", pa.int64(), "those that the set keeps; null without a set"),
        field("rejected", pa.int64(), "those that it rejects; what is neither was not filtered yet"),
    ]
)


@dataclass(frozen=True)
class Spread:
    """What is known of a score before its bins are counted."""

    low: float
    """Least value; NaN where there is none."""
    high: float
    """Greatest value."""
    sample: np.ndarray
    """(about SAMPLE_ROWS,) values at even distances through the table, NaN for null."""

    def edges(self) -> np.ndarray:
        """(bins + 1,) float64, rising: even bins, and one at either side for a long tail; empty without a value."""
        known = self.sample[~np.isnan(self.sample)]
        if np.isnan(self.low):
            return np.empty(0)
        low, high = np.quantile(known, [TAIL, 1 - TAIL]) if len(known) else (self.low, self.high)
        if high <= low or self.high - self.low <= FAR * (high - low):
            low, high = self.low, self.high
        inner = np.linspace(low, high, NUM_BINS + 1) if high > low else np.array([low, high])
        return np.array([*([self.low] if self.low < low else []), *inner, *([self.high] if self.high > high else [])])


def score_columns(schema: pa.Schema) -> list[str]:
    """Columns of `stats/clips` that tell something of a clip: numbers, but no times, ranks or verdicts."""
    return [
        each.name
        for each in schema
        if is_number(each.type)
        and each.name not in NO_SCORES
        and not each.name.endswith("_rank")
        and not (pa.types.is_boolean(each.type) and each.name.startswith("kept_"))
    ]


def spreads(clips: pq.ParquetFile, columns: Sequence[str]) -> dict[str, Spread]:
    """Range and sample of each column, in one pass over `stats/clips`."""
    step = max(1, -(-clips.metadata.num_rows // SAMPLE_ROWS))
    low, high = dict.fromkeys(columns, np.nan), dict.fromkeys(columns, np.nan)
    samples: dict[str, list[np.ndarray]] = {name: [np.empty(0)] for name in columns}
    start = 0
    for rows in row_groups(clips, list(columns)):
        for name in columns:
            values = finite(rows[name])
            low[name] = np.fmin(low[name], np.fmin.reduce(values, initial=np.nan))
            high[name] = np.fmax(high[name], np.fmax.reduce(values, initial=np.nan))
            samples[name].append(values[-start % step :: step].copy())
        start += len(rows)
    return {name: Spread(low[name], high[name], np.concatenate(samples[name])) for name in columns}


def histograms(clips: pq.ParquetFile, sets: Sequence[str], spread: dict[str, Spread]) -> pa.Table:
    """Counts every score in a second pass.

    Args:
        clips: `stats/clips`.
        sets: names of the rule sets whose verdicts it holds.
        spread: of each score, by `spreads`.

    Returns:
        A table of the schema HISTOGRAMS: of each score, for each set (or none), its bins and a row of missing values.
    """
    edges = {name: each.edges() for name, each in spread.items()}
    counts = {name: np.zeros((1 + 2 * len(sets), max(len(edges[name]), 1)), np.int64) for name in spread}
    for rows in row_groups(clips, [*spread, *(f"kept_{name}" for name in sets)]):
        masks = [np.ones(len(rows), bool), *_verdicts(rows, sets)]
        for name, counted in counts.items():
            bins = _bins(finite(rows[name]), edges[name])
            for number, mask in enumerate(masks):
                counted[number] += np.bincount(bins[mask], minlength=counted.shape[1])
    tables = [_rows(name, sets, edges[name], counts[name]) for name in spread]
    return pa.concat_tables([HISTOGRAMS.empty_table(), *tables])


def _verdicts(rows: pa.Table, sets: Sequence[str]) -> list[np.ndarray]:
    """Of each set, which clips it keeps and which it rejects."""
    kept = [rows[f"kept_{name}"].cast(pa.float32()).to_numpy() for name in sets]
    return [mask for each in kept for mask in (each == 1, each == 0)]


def _bins(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(rows,) number of the bin of each value; one more than the last for NaN."""
    last = max(len(edges) - 2, 0)
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, last)
    return np.where(np.isnan(values), max(len(edges) - 1, 0), bins)


def _rows(name: str, sets: Sequence[str], edges: np.ndarray, counts: np.ndarray) -> pa.Table:
    starts, ends = [*edges[:-1].tolist(), None], [*edges[1:].tolist(), None]
    told = len(starts)
    tables = []
    for number, rule_set in enumerate(sets or [None]):
        of_set = counts[1 + 2 * number : 3 + 2 * number] if sets else [pa.nulls(told, pa.int64())] * 2
        columns = [[name] * told, [rule_set] * told, starts, ends, counts[0], *of_set]
        arrays = [pa.array(values, each.type) for values, each in zip(columns, HISTOGRAMS, strict=True)]
        tables.append(pa.table(arrays, schema=HISTOGRAMS))
    return pa.concat_tables(tables)
