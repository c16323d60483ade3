"""Columns of several tables side by side, once it is proved that they speak of the same clips in the same order.

Ids are most of what a score table holds. Equal bytes in a file, compressed alike, are equal ids: so where tables were
written alike, as ours are, they are compared as they lie, and not decoded.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.joined import KEY, read_mirror
from curation.maker import refuse_other_maker
from curation.tables import Corpus, readable
from shards.store import parquet_file


@dataclass(frozen=True)
class _Seen:
    """What was read of one file."""

    columns: dict[str, pa.ChunkedArray]
    ids: list[tuple] | None
    """For each row group how its ids are stored, and the bytes; None where that is not known."""


def read_side_by_side(
    corpus: Corpus, part: str, wanted: Mapping[str, Sequence[str]], made_by: Mapping[str, str]
) -> dict[str, pa.ChunkedArray]:
    """Columns of one part: table -> columns, `clips` among the tables.

    Args:
        corpus: where they lie.
        part: of `clips`.
        wanted: which columns of which table.
        made_by: table -> hash of the configuration that its parts must have been made with, where they say so.

    Raises:
        ValueError: a file is missing, lacks a column, does not mirror `clips`, or was made otherwise; names the file.
    """
    clips = _read(corpus, "clips", part, wanted["clips"], made_by)
    found = dict(clips.columns)
    for table, columns in wanted.items():
        if table != "clips":
            side = _read(corpus, table, part, columns, made_by)
            if side.ids is None or side.ids != clips.ids:
                read_mirror(corpus, table, part, corpus.read("clips", part, [KEY])[KEY], [])
            found |= side.columns
    return found


def _read(corpus: Corpus, table: str, part: str, columns: Sequence[str], made_by: Mapping[str, str]) -> _Seen:
    path = corpus.path(table, part)
    if not corpus.has(table, part):
        return _Seen(_decoded(corpus, table, part, columns), None)
    with ExitStack() as stack:
        stack.enter_context(readable(path, table))
        source = stack.enter_context(pa.OSFile(str(path))) if isinstance(path, Path) else None
        file = stack.enter_context(pq.ParquetFile(source) if source else parquet_file(path))
        if table in made_by:
            refuse_other_maker(path, file.schema_arrow, made_by[table])
        if not {KEY, *columns} <= {*file.schema_arrow.names}:
            return _Seen(_decoded(corpus, table, part, columns), None)
        rows = file.read(columns=list(columns), use_threads=False)
        return _Seen({name: rows[name] for name in columns}, _ids(file, source) if source else None)


def _decoded(corpus: Corpus, table: str, part: str, columns: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    """The columns by the plain way, which says what is wrong with a file."""
    if table == "clips":
        rows = corpus.read(table, part, list(columns))
    else:
        rows = read_mirror(corpus, table, part, corpus.read("clips", part, [KEY])[KEY], list(columns))
    return {name: rows[name] for name in columns}


def _ids(file: pq.ParquetFile, source: pa.NativeFile) -> list[tuple]:
    place = file.schema_arrow.names.index(KEY)
    found = []
    for group in range(file.metadata.num_row_groups):
        chunk = file.metadata.row_group(group).column(place)
        assert chunk.path_in_schema == KEY
        start = min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)), default=0)  # 0: no rows
        stored = (chunk.num_values, chunk.physical_type, chunk.compression, chunk.encodings)
        found.append((*stored, source.read_at(chunk.total_compressed_size, start)))
    return found
