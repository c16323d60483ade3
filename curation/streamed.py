"""Large tables of `stats/`, written and read in groups of rows, so that memory does not grow with the corpus."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shards.places import Place
from shards.store import PARQUET_OPTIONS, atomic_path

GROUP_ROWS = 100_000


def write_streamed(path: Place, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Writes one Parquet file of many small tables, whole or not at all; parts are smaller than a good row group."""
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, **PARQUET_OPTIONS) as writer:
        for rows in _in_groups(table.cast(schema) for table in tables):
            writer.write_table(rows, row_group_size=len(rows))


def row_groups(file: pq.ParquetFile, columns: list[str]) -> Iterator[pa.Table]:
    """The file's groups of rows, one after the other, with these columns."""
    for group in range(file.num_row_groups):
        yield file.read_row_group(group, columns=columns)


def finite(column: pa.ChunkedArray) -> np.ndarray:
    """A column of numbers or truth values as (rows,) float64; NaN for null and for what is not finite."""
    values = column.cast(pa.float64()).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)


def _in_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Joins small tables to some of at least GROUP_ROWS rows."""
    waiting: list[pa.Table] = []
    for table in filter(len, tables):  # a group without rows cannot be written
        waiting.append(table)
        if sum(map(len, waiting)) >= GROUP_ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
