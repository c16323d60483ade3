"""The columns that a user's table of videos brought along: they lie in `inputs`, one value a file."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import logging
from collections.abc import Collection, Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as types

from curation.joined import is_number
from curation.tables import Corpus
from shards.places import Place
from shards.schema import INPUTS
from shards.store import parquet_file

logger = logging.getLogger(__name__)

PREFIX = "input_"
"""Stands before the name of a column of the user's where a table has another column of that name."""


def user_columns(corpus: Corpus, named: Iterable[str]) -> dict[str, pa.DataType]:
    """The columns that the user's tables brought along, with their types; of several types in one, as `common_type`.

    Args:
        corpus: the tables.
        named: columns that rules name.

    Raises:
        ValueError: one of these is of one type in one part and of another elsewhere.
    """
    found = _types(corpus)
    for name in sorted(named):
        if len(told := found.get(name, {})) > 1:
            (known, _), (other, path) = list(told.items())[:2]
            raise ValueError(
                f"{path}: the column `{name}` that your table brought is {other} there and {known} in parts before, "
                "and a rule names it; leave that rule out, or curate a table where it is of one type into another OUT"
            )
    return {name: common_type(told) for name, told in found.items()}


def merged_columns(corpus: Corpus) -> dict[str, pa.DataType]:
    """The same for a table that only tells: a column of several types stops nothing, but costs a line of warning."""
    found = _types(corpus)
    merged = {name: common_type(told) for name, told in found.items()}
    for name, told in found.items():
        if len(told) > 1:
            kinds = " and ".join(map(str, told))
            logger.warning("`%s` of your table is %s in different parts; taken as %s", name, kinds, merged[name])
    return merged


def common_type(told: Collection[pa.DataType]) -> pa.DataType:
    """The type itself where there is one; float64 for several kinds of numbers; else text; null for none."""
    if len(told) <= 1:
        return next(iter(told), pa.null())
    return pa.float64() if all(is_number(each) or types.is_decimal(each) for each in told) else pa.string()


def _types(corpus: Corpus) -> dict[str, dict[pa.DataType, Place]]:
    """Column of the user's -> its types, each with the first file that has it; none where all values are null."""
    found: dict[str, dict[pa.DataType, Place]] = {}
    for part in corpus.parts("inputs"):
        path = corpus.path("inputs", part)
        with parquet_file(path) as file:
            schema = file.schema_arrow
        for column in extra_columns(schema):
            told = found.setdefault(column.name, {})
            if not types.is_null(column.type):
                told.setdefault(column.type, path)
    return found


def extra_columns(schema: pa.Schema) -> list[pa.Field]:
    """Columns of `inputs` that are not its own, and hold one value a file."""
    return [each for each in schema if each.name not in INPUTS.names and not types.is_nested(each.type)]


def of_files(corpus: Corpus, part: str, paths: pa.ChunkedArray, columns: Mapping[str, pa.DataType]) -> pa.Table:
    """What the user's table says of the file of each path, (paths,) of these columns; null where it says nothing."""
    files = corpus.read("inputs", part)
    place = pc.index_in(paths, value_set=files["path"])
    known = {each.name for each in extra_columns(files.schema)}
    found = {name: files[name] if name in known else pa.nulls(len(files)) for name in columns}
    return pa.table({name: _as(columns[name], values).take(place) for name, values in found.items()})


def _as(dtype: pa.DataType, values: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """The values as that type: whole numbers too large for float64 are rounded, bytes that are no text are spelled."""
    try:
        return values.cast(dtype, safe=not types.is_floating(dtype))
    except pa.ArrowInvalid:
        if not types.is_string(dtype):
            raise
        return pa.array([None if value is None else str(value) for value in values.to_pylist()], dtype)


def names_beside(columns: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """The user's columns under the names that they bear in a table with columns of its own: name there -> name here."""
    names: dict[str, str] = {}
    for column in columns:
        name = column
        while name in taken or name in names.values():
            name = PREFIX + name
        names[column] = name
    return names
