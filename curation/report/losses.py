"""What was lost, for the page: failures by cause with files and messages, and the videos that lost most footage."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.accounts import causes
from curation.coverage import SECONDS
from curation.report.strips import take
from curation.streamed import row_groups

A_CAUSE = 20
MAX_ROWS = 200
MAX_CHARACTERS = 400
"""Of a message or cause."""
NUM_VIDEOS = 25


@dataclass(frozen=True)
class Failures:
    """Videos and clips that were lost."""

    total: int
    causes: dict[str, int]
    """Cause -> how many, most frequent first."""
    rows: list[dict]
    """Rows of `stats/failures`: at most A_CAUSE of each cause, MAX_ROWS in all."""


def failures(file: pq.ParquetFile) -> Failures:
    """Reads `stats/failures`: the errors of all, and whole the rows that are shown."""
    encoded = pa.chunked_array([_causes(rows["error"]) for rows in row_groups(file, ["error"])], pa.string())
    encoded = encoded.combine_chunks().dictionary_encode()
    names, numbers = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    counts = dict(zip(names, np.bincount(numbers, minlength=len(names)).tolist(), strict=True))
    ranked = sorted(names, key=lambda name: (-counts[name], name))
    rank = {name: place for place, name in enumerate(ranked)}
    chosen = _first_of_each(np.array([rank[name] for name in names], np.int64)[numbers])
    rows = take(file, chosen, file.schema_arrow.names)
    told = [rows[number] | {"error": (rows[number]["error"] or "")[:MAX_CHARACTERS]} for number in chosen]
    return Failures(len(numbers), {name: counts[name] for name in ranked}, told)


def _causes(errors: pa.ChunkedArray) -> pa.Array:
    return pc.if_else(pc.equal(pc.fill_null(errors, ""), ""), "no reason", causes(errors)).combine_chunks()


def _first_of_each(ranks: np.ndarray) -> list[int]:
    """Row numbers of the first A_CAUSE rows of each rank, rank after rank, MAX_ROWS in all; ranks: (rows,) integers."""
    order = np.argsort(ranks, kind="stable")
    ordered = ranks[order]
    nth = np.arange(len(ranks)) - np.searchsorted(ordered, ordered)
    return order[nth < A_CAUSE][:MAX_ROWS].tolist()


def most_lost(file: pq.ParquetFile) -> list[dict]:
    """Rows of `stats/coverage` of the videos with most seconds outside of clips, the worst first."""
    worst: list[dict] = []
    for rows in row_groups(file, ["path", "video_id", "num_clips", *SECONDS]):
        lost = pc.subtract(rows["duration_s"], rows["clips_s"])
        order = pc.sort_indices(lost, sort_keys=[("", "descending")])[:NUM_VIDEOS]
        worst += [row for row in rows.take(order).to_pylist() if (row["duration_s"] or 0) > (row["clips_s"] or 0)]
        worst = sorted(worst, key=lambda row: (row["clips_s"] - row["duration_s"], row["video_id"]))[:NUM_VIDEOS]
    return worst
