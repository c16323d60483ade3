import logging
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.places import AddressedFile
from shards.schema import CAPTIONS, VERDICTS, conform, from_rows
from shards.store import (
    atomic_path,
    move_folder,
    note_line,
    num_rows,
    parquet_file,
    read_json,
    remove_folder,
    remove_temporaries,
    scratch_folder,
    write_json,
    write_table,
)


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


@pytest.fixture(params=["disk", "address"])
def root(request, tmp_path):
    """An empty folder, on disk and at an address."""
    return tmp_path / "root" if request.param == "disk" else request.getfixturevalue("bucket")


def names(folder) -> list[str]:
    """Files below a folder."""
    return sorted(str(path)[len(str(folder)) + 1 :] for path in folder.rglob("*") if path.is_file())


def test_both_kinds_of_place_hold_the_same_bytes(root, tmp_path):
    table = from_rows([{"clip_id": str(row), "text": "x", "source": "s"} for row in range(3)], CAPTIONS)
    write_table(root / "t/a.parquet", table, CAPTIONS)
    write_table(tmp_path / "a.parquet", table, CAPTIONS)
    assert (root / "t/a.parquet").read_bytes() == (tmp_path / "a.parquet").read_bytes()
    assert num_rows(root / "t/a.parquet") == 3
    with parquet_file(root / "t/a.parquet") as file:
        assert file.read(columns=["clip_id"])["clip_id"].to_pylist() == ["0", "1", "2"]
    write_json(root / "a.json", {"a": 1})
    assert read_json(root / "a.json") == {"a": 1} and names(root) == ["a.json", "t/a.parquet"]


def test_a_file_at_an_address_is_closed_with_its_table(bucket, monkeypatch):
    opened = []

    class Noted(AddressedFile):
        def __init__(self, where):
            super().__init__(where)
            opened.append(self)

    monkeypatch.setattr("shards.store.AddressedFile", Noted)
    write_table(bucket / "a.parquet", from_rows([], CAPTIONS), CAPTIONS)
    with parquet_file(bucket / "a.parquet"):
        assert not opened[0].closed
    (bucket / "b.parquet").write_text("no table")
    with pytest.raises(pa.ArrowInvalid):
        parquet_file(bucket / "b.parquet")
    assert [file.closed for file in opened] == [True, True]


def test_a_file_reaches_an_address_by_one_put(bucket, caplog):
    with caplog.at_level(logging.INFO, "werkzeug"):  # whose log names every request that the server had
        write_table(bucket / "a.parquet", from_rows([], CAPTIONS), CAPTIONS)
        write_json(bucket / "a.json", 1)
    requests = [re.search(r'"([A-Z]+) (\S+) HTTP', record.getMessage()) for record in caplog.records]
    changes = [found.groups() for found in requests if found and found[1] not in ("GET", "HEAD")]
    assert changes == [("PUT", f"/{bucket.path}/a.parquet"), ("PUT", f"/{bucket.path}/a.json")]


def test_a_block_that_fails_leaves_the_old_file(root):
    write_json(root / "a.json", 1)
    with pytest.raises(OSError, match="disk full"), atomic_path(root / "a.json") as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert names(root) == ["a.json"] and (root / "a.json").read_text() == "1\n"


def test_folders_and_files_are_moved_and_removed(root):
    for name in ("a/1.json", "a/b/2.json", "ab/3.json", "c/4.json"):
        write_json(root / name, 0)
    move_folder(root / "a", root / "aside/x/a")
    move_folder(root / "c/4.json", root / "aside/x/c/4.json")
    assert names(root) == ["ab/3.json", "aside/x/a/1.json", "aside/x/a/b/2.json", "aside/x/c/4.json"]
    remove_folder(root / "aside")
    remove_folder(root / "never there")
    assert names(root) == ["ab/3.json"]


def test_notes_are_added(root):
    for number in range(3):
        note_line(root / "journal/parts.jsonl", str(number))
    lines = [line for name in names(root) for line in (root / name).read_text().splitlines()]
    assert lines == ["0", "1", "2"]


def test_scratch_is_local_and_goes(root):
    with scratch_folder(root / "t", "part-00000") as scratch:
        (scratch / "x").write_text("half")
        assert scratch.exists() and (scratch.parent == root / "t" or names(root) == [])
    assert not scratch.exists() and names(root) == []
