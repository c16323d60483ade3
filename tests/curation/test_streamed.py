import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation import streamed
from curation.streamed import finite, in_order, row_groups, write_streamed

SCHEMA = pa.schema([("n", pa.int64())])


def test_parts_come_in_order_whichever_is_done_first(monkeypatch):
    monkeypatch.setattr(streamed.os, "sched_getaffinity", lambda _: range(2))
    second_is_done = threading.Event()

    def work(part):
        if part == "0":
            assert second_is_done.wait(10), "parts are worked on one after the other"
        second_is_done.set()
        return int(part)

    assert list(in_order(work, map(str, range(20)))) == list(range(20))


def test_no_more_parts_are_begun_than_a_few(monkeypatch):
    monkeypatch.setattr(streamed.os, "sched_getaffinity", lambda _: range(2))
    begun = []
    found = in_order(begun.append, map(str, range(100)))
    next(found)
    assert len(begun) <= 5
    assert len(list(found)) == 99 and len(begun) == 100


def test_what_fails_is_told():
    with pytest.raises(ValueError, match="broken"):
        list(in_order(fail, ["b", "a"]))
    assert list(in_order(fail, [])) == []


def fail(part):
    raise ValueError("broken")


def test_small_tables_become_large_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(streamed, "GROUP_ROWS", 5)
    write_streamed(tmp_path / "t.parquet", SCHEMA, (pa.table({"n": [k] * k}) for k in range(5)))
    with pq.ParquetFile(tmp_path / "t.parquet") as file:
        assert [rows["n"].to_pylist() for rows in row_groups(file, ["n"])] == [[1, 2, 2, 3, 3, 3], [4, 4, 4, 4]]


def test_what_is_not_finite_is_missing():
    assert np.array_equal(finite(pa.chunked_array([[1.5, None, np.inf]])), [1.5, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(finite(pa.chunked_array([[True, None]])), [1.0, np.nan], equal_nan=True)
