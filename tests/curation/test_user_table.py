from pathlib import Path

import pyarrow as pa
import pytest

from curation.user_table import seconds


def test_seconds_are_numbers_from_zero_on_or_none():
    table = pa.table({"end_s": ["", None, "0", "2.5"]})
    assert seconds(table, "end_s", Path("t.csv")) == [None, None, 0.0, 2.5]
    assert seconds(table, "start_s", Path("t.csv")) == [None] * 4


@pytest.mark.parametrize("value", ["soon", "-1", "nan", "inf", "1:30"])
def test_what_is_no_time_is_refused_by_row(value):
    with pytest.raises(ValueError, match=rf"t\.csv: row 2: `end_s` must be seconds .* not '{value}'"):
        seconds(pa.table({"end_s": ["1", value]}), "end_s", Path("t.csv"))
