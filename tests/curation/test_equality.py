import datetime

import pyarrow as pa
import pytest

from curation.equality import value_of, values_of


@pytest.mark.parametrize(
    ("value", "dtype", "found"),
    [
        ("001", pa.string(), "001"),
        ("no", pa.large_string(), "no"),
        ("001", pa.int64(), 1),
        ("1e3", pa.float32(), 1000.0),
        (3, pa.int32(), 3),
        (3.0, pa.int32(), 3),
        (3, pa.float64(), 3.0),
        (0.7, pa.float32(), pa.scalar(0.7, pa.float32()).as_py()),
        (True, pa.bool_(), True),
        ("No", pa.bool_(), False),
        ("true", pa.bool_(), True),
        ("2020-01-01", pa.date32(), datetime.date(2020, 1, 1)),
    ],
)
def test_a_value_becomes_what_the_column_holds(value, dtype, found):
    told = value_of(value, dtype)
    assert told.type == dtype and told.to_pylist() == [found]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1, pa.string()),
        (False, pa.string()),
        ("fast", pa.float32()),
        ("1.5", pa.int32()),
        (1.5, pa.int32()),
        (2**40, pa.int32()),
        (2**80, pa.int64()),
        (True, pa.int32()),
        (True, pa.float32()),
        (1, pa.bool_()),
        ("maybe", pa.bool_()),
    ],
)
def test_what_it_cannot_hold_is_refused_and_never_rounded(value, dtype):
    with pytest.raises((pa.ArrowException, OverflowError)):
        value_of(value, dtype)


def test_one_value_or_a_list():
    assert values_of("a", pa.string()).to_pylist() == ["a"]
    assert values_of([1, "2", 3.0], pa.int16()).to_pylist() == [1, 2, 3]
