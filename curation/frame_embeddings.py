"""Values from stored embeddings of frames: every frame of a run of clips at once, then one value a clip and column."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.scorer import Misfit

OfFrames = Literal["mean", "max"]
REDUCE = {"mean": np.mean, "max": np.max}


def of_frames(
    table: pa.Table,
    column: str,
    names: Sequence[str],
    values: Callable[[np.ndarray], np.ndarray],
    reduced: OfFrames = "mean",
) -> dict[str, Sequence]:
    """Columns of a scorer that reads embeddings.

    Args:
        table: the clips.
        column: holds for each clip the embeddings of its frames, or one embedding; null or empty where it has none.
        names: of the columns to make.
        values: gives for embeddings float64 (n, D) an array (n, len(names)).
        reduced: what a clip gets of its frames' values.

    Raises:
        Misfit: the column holds something else.
    """
    clips, embeddings = _frames(table[column], column)
    found: list[Sequence] = [[None] * len(names)] * len(table)
    if len(embeddings):
        each = values(embeddings)
        starts = np.flatnonzero(np.diff(clips, prepend=-1))
        for clip, mine in zip(clips[starts], np.split(each, starts[1:]), strict=True):
            found[clip] = REDUCE[reduced](mine, axis=0)
    seen = set(clips.tolist())
    errors: Sequence = [None if clip in seen else f"no {column}" for clip in range(len(table))]
    columns: dict[str, Sequence] = {name: [row[place] for row in found] for place, name in enumerate(names)}
    return columns | {"error": errors}


def _frames(column: pa.ChunkedArray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Of each frame the row of its clip, sorted, and its embedding, float64 (n, D)."""
    array = column.combine_chunks()
    if _is_list(array.type) and _is_list(array.type.value_type):
        clips, array = pc.list_parent_indices(array).to_numpy(), pc.list_flatten(array)
    else:
        clips = np.flatnonzero(array.is_valid().to_numpy(zero_copy_only=False))
        array = array.drop_null()
    if not _is_list(array.type) or not pa.types.is_floating(array.type.value_type):
        raise Misfit(f"`{name}` holds no embeddings: it is {column.type}, where lists of numbers are wanted")
    widths = pc.unique(pc.list_value_length(array)).to_pylist()
    if len(widths) > 1:
        raise Misfit(f"`{name}` holds embeddings of different widths: {widths}")
    flat = pc.list_flatten(array).to_numpy(zero_copy_only=False)
    return clips, flat.astype(np.float64).reshape(len(array), -1) if len(array) else np.empty((0, 0))


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
