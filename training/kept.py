"""Which samples of a packed set are trained on, as verdicts tell it: many selections over one set of shards."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

from shards.places import Place, place, reaching
from shards.schema import VERDICTS, conform
from shards.store import parquet_file

KEY, REJECTED_BY = VERDICTS.names
RULES = "rules.json"
"""Of a folder of verdicts; written last."""


def kept_keys(verdicts: str) -> pa.Array:
    """Keys of the clips that no rule rejected, sorted.

    Args:
        verdicts: folder or address of a corpus's verdicts (OUT/verdicts/<set>), or one Parquet file of that form.

    Raises:
        ValueError: there are none, they are damaged or not verdicts, or they keep nothing.
    """
    parts = [_kept(path) for path in _files(place(verdicts))]
    kept = pc.unique(pa.concat_arrays(parts)) if parts else pa.array([], pa.string())
    if not len(kept):
        raise ValueError(f"data.kept: {verdicts} keeps no clip; name the verdicts of a set that keeps some")
    return kept.take(pc.sort_indices(kept))


def hash_of(keys: pa.Array) -> str:
    """What tells one selection from another."""
    return hashlib.sha256("\n".join(keys.to_pylist()).encode()).hexdigest()


def _files(found: Place) -> list[Place]:
    with reaching(found):
        files = [found] if found.is_file() else sorted(found.glob("*.parquet"))
        is_whole = found.is_file() or (found / RULES).exists()
    if files and not is_whole:
        raise ValueError(f"data.kept: {found} has no {RULES}, so filtering was interrupted: make filter, or make sweep")
    if not files:
        raise ValueError(
            f"data.kept: there are no verdicts in {found}; `make filter` and `make sweep` write OUT/verdicts/<set>"
        )
    return files


def _kept(path: Place) -> pa.Array:
    try:
        with reaching(path), parquet_file(path) as file:
            table = conform(file.read([KEY, REJECTED_BY]), VERDICTS)
    except (pa.ArrowException, ValueError) as error:
        raise ValueError(f"data.kept: {path} holds no verdicts ({KEY}, {REJECTED_BY}): {error}") from error
    rejected = pc.fill_null(pc.list_value_length(table[REJECTED_BY]), 0)
    return table.filter(pc.equal(rejected, 0))[KEY].combine_chunks()
