"""The columns that a user's table of videos brought along: they lie in `inputs`, one value a file."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections.abc import Collection, Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as types

from curation.tables import Corpus
from shards.schema import INPUTS
from shards.store import parquet_file

PREFIX = "input_"
"""Stands before the name of a column of the user's where a table has another column of that name."""


def user_columns(corpus: Corpus) -> dict[str, pa.DataType]:
    """The columns that the user's tables brought along, with their types.

    Raises:
        ValueError: a column is of one type in one part and of another elsewhere.
    """
    found: dict[str, pa.DataType] = {}
    for part in corpus.parts("inputs"):
        with parquet_file(corpus.path("inputs", part)) as file:
            schema = file.schema_arrow
        for column in extra_columns(schema):
            known = found.get(column.name, pa.null())
            if types.is_null(known):
                found[column.name] = column.type
            elif not types.is_null(column.type) and column.type != known:
                raise ValueError(
                    f"{corpus.path('inputs', part)}: the column `{column.name}` that your table brought is "
                    f"{column.type} there and {known} in parts before; name that of the newer files otherwise"
                )
    return found


def extra_columns(schema: pa.Schema) -> list[pa.Field]:
    """Columns of `inputs` that are not its own, and hold one value a file."""
    return [each for each in schema if each.name not in INPUTS.names and not types.is_nested(each.type)]


def of_files(corpus: Corpus, part: str, paths: pa.ChunkedArray, columns: Mapping[str, pa.DataType]) -> pa.Table:
    """What the user's table says of the file of each path, (paths,) of these columns; null where it says nothing."""
    files = corpus.read("inputs", part)
    place = pc.index_in(paths, value_set=files["path"])
    found = {name: files[name] if name in files.column_names else pa.nulls(len(files)) for name in columns}
    return pa.table({name: values.cast(columns[name]).take(place) for name, values in found.items()})


def names_beside(columns: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """The user's columns under the names that they bear in a table with columns of its own: name there -> name here."""
    names: dict[str, str] = {}
    for column in columns:
        name = column
        while name in taken or name in names.values():
            name = PREFIX + name
        names[column] = name
    return names
