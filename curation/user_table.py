"""Tables that users bring: .parquet, .csv with a header line, or .jsonl."""

import csv
import json
import math
from itertools import chain
from typing import Any

import pyarrow as pa

from shards.places import Place, name_in, reaching
from shards.store import parquet_file

TABLE_SUFFIXES = frozenset({".parquet", ".csv", ".jsonl"})


def read_user_table(path: Place) -> pa.Table:
    """A table as users bring it: .parquet, .csv (header line), or .jsonl, where a key that a row lacks is null.

    Raises:
        ValueError: it cannot be read; names the file.
    """
    try:
        if path.suffix.lower() == ".parquet":
            with parquet_file(path) as file:
                return file.read()
        with reaching(path), path.open(encoding="utf-8-sig", newline="") as lines:
            rows = (
                list(csv.DictReader(lines))
                if path.suffix.lower() == ".csv"
                else [json.loads(line) for line in lines if line.strip()]
            )
        return _table_of(rows)
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise ValueError(f"{path} cannot be read as a table: {error}") from error


def _table_of(rows: list[Any]) -> pa.Table:
    """A table with every key of any row, in order of appearance; pyarrow alone would take the first row's."""
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or None in row:  # the csv module puts values beyond the header under None
            raise ValueError(f"row {number} is not one value for each column: {row!r}")
    names = dict.fromkeys(chain.from_iterable(rows))
    return pa.table({name: _column(name, [row.get(name) for row in rows]) for name in names})


def _column(name: str, values: list) -> pa.Array:
    try:
        return pa.array(values)
    except pa.ArrowException as error:
        first = next(value for value in values if value is not None)
        odd = (number for number, value in enumerate(values, 1) if value is not None and type(value) is not type(first))
        where = f"row {number}, " if (number := next(odd, None)) else ""
        raise ValueError(f"{where}column `{name}`: {error}") from error


def texts(table: pa.Table, column: str, source: Place, if_null: Any = None) -> list[str]:
    """The values of a text column of the table in the file `source`; they may be empty, and null with an `if_null`.

    Raises:
        ValueError: a value is null or no text; names the file and the row, counted from 1.
    """
    values: list[Any] = [if_null if value is None else value for value in table[column].to_pylist()]
    for number, value in enumerate(values, start=1):
        if not isinstance(value, str):
            raise ValueError(f"{source}: row {number}: `{column}` must be text, not {value!r}")
    return values


def seconds(table: pa.Table, column: str, source: Place) -> list[float | None]:
    """The values of a column of seconds of the table in the file `source`; None where a value or the column is missing.

    Raises:
        ValueError: a value is no number from 0 on; names the file and the row, counted from 1.
    """
    if column not in table.column_names:
        return [None] * len(table)
    values = table[column].to_pylist()
    return [_seconds(value, f"{source}: row {row}: `{column}`") for row, value in enumerate(values, start=1)]


def _seconds(value: Any, where: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{where} must be seconds from the first frame on, not {value!r}")
    return number


def resolved(table: pa.Table, source: Place) -> list[str]:
    """The addresses and absolute paths of a table's column `path`, which count from its folder.

    Raises:
        ValueError: as `texts`, and for an empty path.
    """
    paths = texts(table, "path", source)
    if "" in paths:
        raise ValueError(f"{source}: row {paths.index('') + 1}: `path` is empty")
    return [name_in(source.parent, path) for path in paths]
