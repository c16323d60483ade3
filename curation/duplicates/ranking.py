"""The order in which copies are preferred, over all clips of a corpus."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.joined import KEY, Joined

PIXELS = "pixels"


def best_first(wide: Joined, columns: Sequence[str]) -> np.ndarray:
    """Rows of all clips from the best to the worst: (clips,) int64.

    Args:
        wide: clips and scores.
        columns: numbers, the most telling first; larger is better, a missing one worst. `pixels` is width x height.
            Clips that are equal in all follow their ids.
    """
    keys = {f"key {place}": _numbers(wide, column) for place, column in enumerate(columns)}
    order = [(key, "descending") for key in keys] + [(KEY, "ascending")]
    table = pa.table(keys | {KEY: wide.column(KEY)})
    return pc.sort_indices(table, sort_keys=order).to_numpy().astype(np.int64)


def _numbers(wide: Joined, column: str) -> pa.ChunkedArray:
    if column == PIXELS:
        return pc.multiply(_numbers(wide, "width"), _numbers(wide, "height"))
    values = wide.column(column).cast(pa.float64())
    return pc.if_else(pc.is_nan(values), None, values)
