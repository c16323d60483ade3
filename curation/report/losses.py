"""What was lost, for the page: failures by cause with files and messages, and the videos that lost most footage."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.accounts import by_cause
from curation.coverage import SECONDS
from curation.streamed import row_groups

A_CAUSE = 20
MAX_ROWS = 200
MAX_CHARACTERS = 400
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
    """Reads `stats/failures`."""
    rows = file.read()
    errors = [error or "no reason" for error in rows["error"].to_pylist()]
    causes = by_cause(errors)
    shown, places, order = Counter(), [], {cause: number for number, cause in enumerate(causes)}
    for place, error in enumerate(errors):
        (cause,) = by_cause([error])
        shown[cause] += 1
        if shown[cause] <= A_CAUSE:
            places.append((order[cause], place))
    chosen = rows.take(pa.array([place for _, place in sorted(places)[:MAX_ROWS]], pa.int64())).to_pylist()
    return Failures(len(rows), causes, [row | {"error": (row["error"] or "")[:MAX_CHARACTERS]} for row in chosen])


def most_lost(file: pq.ParquetFile) -> list[dict]:
    """Rows of `stats/coverage` of the videos with most seconds outside of clips, the worst first."""
    worst: list[dict] = []
    for rows in row_groups(file, ["path", "video_id", "num_clips", *SECONDS]):
        lost = pc.subtract(rows["duration_s"], rows["clips_s"])
        order = pc.sort_indices(lost, sort_keys=[("", "descending")])[:NUM_VIDEOS]
        worst += [row for row in rows.take(order).to_pylist() if (row["duration_s"] or 0) > (row["clips_s"] or 0)]
        worst = sorted(worst, key=lambda row: (row["clips_s"] - row["duration_s"], row["video_id"]))[:NUM_VIDEOS]
    return worst
