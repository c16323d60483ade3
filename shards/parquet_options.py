"""How tables are stored as Parquet."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.types as types

from shards.schema import CLIP_ID

UNIQUE = (pa.binary(), pa.large_binary(), pa.uint64())
IDS = (CLIP_ID.name, "key")
"""Ids of clips; the second is that of samples."""


def parquet_options(schema: pa.Schema) -> dict:
    """Arguments of `pyarrow.parquet.write_table` and `ParquetWriter` for a table of this schema.

    Fractions, bytes, hashes (uint64) and ids of clips get no dictionary: their values seldom repeat, and with one they
    take more room, and longer to write and to read (docs/benchmarks.md). All else has one.
    """
    names = [name for each in schema for name in _with_dictionary(each)]
    return {"compression": "zstd", "write_statistics": True, "store_schema": True, "use_dictionary": names}


def _with_dictionary(column: pa.Field, inside: str = "") -> Iterator[str]:
    """Stored columns, as Parquet names them."""
    dtype, name = column.type, inside + column.name
    if types.is_map(dtype):
        yield from _with_dictionary(dtype.key_field, f"{name}.key_value.")
        yield from _with_dictionary(dtype.item_field, f"{name}.key_value.")
    elif types.is_struct(dtype):
        for child in dtype:
            yield from _with_dictionary(child, f"{name}.")
    elif types.is_nested(dtype):
        yield from _with_dictionary(dtype.value_field.with_name("element"), f"{name}.list.")
    elif not (types.is_floating(dtype) or dtype in UNIQUE or name in IDS):
        yield name
