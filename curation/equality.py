"""What `equals` names, as values of the column that it is compared with."""

import pyarrow as pa
import pyarrow.types as types

from curation.rule import Scalar

TRUTH = {"yes": "true", "on": "true", "no": "false", "off": "false"}
"""Words that YAML takes for truth values."""


def listed(equals: Scalar | list[Scalar] | None) -> list:
    """What `equals` names, as a list."""
    return equals if isinstance(equals, list) else [equals]


def value_of(value: Scalar, dtype: pa.DataType) -> pa.Array:
    """One of these values, (1,) of the column's type.

    A text is read as what the column holds, so '720' equals a height of 720. A number is never made a text: nobody
    knows any more whether 1 was written `1` or `001`.

    Raises:
        pa.ArrowException, OverflowError: the column cannot hold it.
    """
    if isinstance(value, str):
        said = TRUTH.get(value.lower(), value) if types.is_boolean(dtype) else value
        return pa.array([said], pa.string()).cast(dtype)
    if is_text(dtype) or isinstance(value, bool) != types.is_boolean(dtype):
        raise pa.ArrowTypeError(f"{value!r} is no {dtype}")
    return pa.array([value]).cast(dtype)


def values_of(equals: Scalar | list[Scalar] | None, dtype: pa.DataType) -> pa.Array:
    """All of them, (values,) of the column's type."""
    return pa.concat_arrays([value_of(value, dtype) for value in listed(equals)])


def is_text(dtype: pa.DataType) -> bool:
    """Whether a column of this type holds texts."""
    return types.is_string(dtype) or types.is_large_string(dtype)
