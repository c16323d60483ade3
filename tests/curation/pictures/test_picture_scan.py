"""Parts of a scan, without a picture: each entry's path says what is seen of it."""

import time
from types import SimpleNamespace

import pytest

from curation.pictures import scan as scanning
from curation.pictures.config import PicturesConfig
from curation.pictures.entry import Entry, Piece
from curation.pictures.look import Seen
from curation.pictures.scan import order_of, scan, scanned
from curation.set_files import SetFiles
from shards.picture import PictureInfo
from shards.store import num_rows, parquet_file


@pytest.fixture
def seen(monkeypatch):
    """The paths that were looked at; each third picture is bad, and one is on a disk that fails."""
    paths: list[str] = []

    def look_at(entry: Entry, child: object, max_bytes: int) -> Seen | str:
        number = int(entry.path)
        time.sleep(0.01 * (number % 2))  # so that workers overtake each other
        paths.append(entry.path)
        if number == 13 and paths.count("13") == 1:
            raise OSError(5, "the disk fails")
        return "bad" if number % 3 == 0 else Seen(f"{number:020x}", number, PictureInfo("jpg", 6, 4), ([], {"x": 1.0}))

    monkeypatch.setattr(scanning, "look_at", look_at)
    return paths


def run(root, part_max_pictures: int, total: int = 20) -> list[int]:
    told: list[int] = []
    listing = SimpleNamespace(entries=lambda: iter([Entry(str(k), Piece(str(k), 7)) for k in range(total)]))
    config = PicturesConfig("any", "any", part_max_pictures=part_max_pictures, workers=3)
    scan(SetFiles(root), listing, config, told.append)  # pyright: ignore[reportArgumentType]
    return told


def parts(root) -> list[list[dict]]:
    read = []
    for path in scanned(SetFiles(root)):
        with parquet_file(path) as file:
            read.append(file.read().to_pylist())
    return read


def test_it_goes_on_after_the_last_part_that_stands(tmp_path, seen):
    with pytest.raises(OSError, match=r"the disk fails"):
        run(tmp_path, 6)
    assert [len(part) for part in parts(tmp_path)] == [4, 4]  # of 12, a third is bad
    assert [num_rows(SetFiles(tmp_path).failures(path.stem)) for path in scanned(SetFiles(tmp_path))] == [2, 2]
    seen.clear()
    seen.append("13")
    assert run(tmp_path, 5) == [17, 20] and sorted(map(int, seen[1:])) == list(range(12, 20))
    rows = [row for part in parts(tmp_path) for row in part]
    assert sorted(row["position"] for row in rows) == [k for k in range(20) if k % 3]
    for row in rows:
        assert (int(row["path"]), int(row["video_id"], 16)) == (row["position"],) * 2
        assert (row["size_bytes"], row["offset_bytes"], row["scores"]) == (row["position"], 7, [("x", 1.0)])
    assert run(tmp_path, 5) == []


def test_each_part_is_in_the_order_of_the_shards(tmp_path, seen):
    run(tmp_path, 100, total=12)
    (rows,) = parts(tmp_path)
    assert [row["position"] for row in rows] != sorted(row["position"] for row in rows)
    assert rows == sorted(rows, key=lambda row: order_of(0, row))
