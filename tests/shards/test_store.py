import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.schema import CAPTIONS, VERDICTS, conform, from_rows
from shards.store import atomic_path, read_json, remove_temporaries, write_json, write_table


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new/a.txt"
    with pytest.raises(OSError, match="disk full"), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert list(path.parent.iterdir()) == []
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole" and list(path.parent.iterdir()) == [path]


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path):
    (tmp_path / "a/.part-00000.x.rushes.tmp").mkdir(parents=True)
    (tmp_path / "a/.part-00000.parquet.y.rushes.tmp").write_text("half")
    kept = {"part-00000.parquet", ".notes.tmp", "rushes.tmp"}
    for name in kept:
        (tmp_path / "a" / name).write_text("whole")
    remove_temporaries(tmp_path)
    assert {path.name for path in (tmp_path / "a").iterdir()} == kept


def test_equal_tables_give_equal_bytes_with_docs_inside(tmp_path):
    rows = [{"clip_id": "a", "text": "x", "source": "s"}]
    for name in ("one", "two"):
        write_table(tmp_path / name, from_rows(rows, CAPTIONS), CAPTIONS)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert pq.read_schema(tmp_path / "one").field("text").metadata[b"doc"].startswith(b"a caption")


@pytest.mark.parametrize(
    "columns",
    [
        {"clip_id": ["a"]},
        {"clip_id": ["a"], "rejected_by": [["x"]], "more": [1]},
        {"clip_id": [1.5], "rejected_by": [3]},
    ],
)
def test_a_table_that_does_not_fit_is_refused(columns):
    with pytest.raises(ValueError, match="does not fit its schema"):
        conform(pa.table(columns), VERDICTS)


def test_a_row_with_other_keys_is_refused():
    with pytest.raises(ValueError, match="source"):
        from_rows([{"clip_id": "a", "text": "x"}], CAPTIONS)


def test_broken_json_is_named(tmp_path):
    write_json(tmp_path / "a.json", {"b": "ü", "a": 1})
    assert read_json(tmp_path / "a.json") == {"a": 1, "b": "ü"}
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.json is not valid JSON"):
        read_json(tmp_path / "a.json")
