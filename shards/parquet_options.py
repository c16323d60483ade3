"""How tables are stored as Parquet."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.types as types

from shards.schema import CLIP_ID


def parquet_options(schema: pa.Schema) -> dict:
    """Arguments of `pyarrow.parquet.write_table` and `ParquetWriter` for a table of this schema.

    Only columns whose values repeat get a dictionary. Numbers with a fraction, bytes, and ids of clips in tables of one
    row a clip seldom do; with a dictionary they take up to a fifth more room, and twice the time to write and to read.
    """
    names = [name for each in schema for name in _repeating(each)]
    return {"compression": "zstd", "write_statistics": True, "store_schema": True, "use_dictionary": names}


def _repeating(column: pa.Field, inside: str = "") -> Iterator[str]:
    """Stored columns, as Parquet names them, whose values repeat."""
    dtype, name = column.type, inside + column.name
    if types.is_map(dtype):
        yield from _repeating(dtype.key_field, f"{name}.key_value.")
        yield from _repeating(dtype.item_field, f"{name}.key_value.")
    elif types.is_struct(dtype):
        for child in dtype:
            yield from _repeating(child, f"{name}.")
    elif types.is_nested(dtype):
        yield from _repeating(dtype.value_field.with_name("element"), f"{name}.list.")
    elif not (
        types.is_floating(dtype) or types.is_binary(dtype) or types.is_large_binary(dtype) or name == CLIP_ID.name
    ):
        yield name
