"""Large tables of `stats/`, written and read in groups of rows, so that memory does not grow with the corpus."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shards.parquet_options import parquet_options
from shards.places import Place
from shards.store import atomic_path

GROUP_ROWS = 100_000

Answer = TypeVar("Answer")


def write_streamed(path: Place, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Writes one Parquet file of many small tables, whole or not at all; parts are smaller than a good row group."""
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, **parquet_options(schema)) as writer:
        for rows in _in_groups(table.cast(schema) for table in tables):
            writer.write_table(rows, row_group_size=len(rows))


def in_order(work: Callable[[str], Answer], parts: Iterable[str]) -> Iterator[Answer]:
    """What the work on each part gives, in their order; some parts are under way at a time, a few more wait.

    So what waits does not grow with the corpus, as that of `ThreadPoolExecutor.map` would.
    """
    workers = len(os.sched_getaffinity(0))
    waiting: deque[Future[Answer]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for part in parts:
            waiting.append(pool.submit(work, part))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


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
