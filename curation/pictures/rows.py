"""Pictures in a user's table: `path`, `caption` (or `text`) with an optional `source`, `caption_<source>`, numbers."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from curation.pictures.entry import Entry, Piece
from curation.pictures.words import is_caption
from curation.user_table import read_user_table, resolved
from shards.places import Place


def table_entries(source: Place) -> Iterator[Entry]:
    """A picture a row, in the order of the table.

    Args:
        source: .parquet, .csv or .jsonl; relative paths count from its folder.

    Raises:
        ValueError: it cannot be read, has no `path`, or a caption is no text; names it.
    """
    table = read_user_table(source)
    if "path" not in table.column_names:
        raise ValueError(f"{source} has no column `path`; it has {', '.join(table.column_names)}")
    for name in filter(is_caption, table.column_names):
        if not _is_text(table[name].type) and table[name].null_count < len(table):
            raise ValueError(f"{source}: the column `{name}` must hold text, not {table[name].type}")
    paths = iter(resolved(table, source))
    if source.suffix.lower() == ".csv":
        table = pa.table({name: _numbers(name, table[name]) for name in table.column_names})
    for batch in table.to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            path = next(paths)
            yield Entry(path, Piece(path), row=row, source=str(row.get("source") or source.stem))


def _numbers(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of a .csv, where all is text, as numbers, if it holds nothing else."""
    if is_caption(name) or name in ("path", "source") or not _is_text(column.type):
        return column
    try:
        return pc.if_else(pc.equal(column, ""), None, column).cast(pa.float64())
    except pa.ArrowInvalid:
        return column


def _is_text(dtype: pa.DataType) -> bool:
    return pa.types.is_string(dtype) or pa.types.is_large_string(dtype)
