"""From what was found of pictures to shards, without a picture."""

import os
import resource
from collections import Counter

import pytest

from curation.pictures.config import PicturesConfig
from curation.pictures.plan import write_plan
from curation.pictures.scan import FOUND, order_of
from curation.set_files import SetFiles
from shards.schema import PICTURE_FAILURES, from_rows
from shards.store import parquet_file, read_json, write_table


def found(position: int, number: int, **fields: object) -> dict:
    """A row of `FOUND`; equal numbers are copies."""
    words = {"captions": [{"text": f"caption {position}", "source": "txt"}], "scores": [("x", float(position))]}
    where = {"path": f"{position}.jpg", "file": f"{position}.jpg", "offset_bytes": 0, "size_bytes": 100}
    size = {"extension": "jpg", "width": 6, "height": 4}
    return {"video_id": f"{number:020x}", "position": position, **words, **where, **size, **fields}


def planned(root, rows: list[dict], per_part: int, failures: tuple[str, ...] = (), **settings):
    """Writes the parts of a scan, plans, and gives `plan.json` with the rows of each shard."""
    files, config = SetFiles(root), PicturesConfig("any", "any", **settings)
    for number, start in enumerate(range(0, len(rows), per_part)):
        mine = sorted(rows[start : start + per_part], key=lambda row: order_of(config.seed, row))
        lost = [{"path": "p", "video_id": None, "error": error} for error in failures * (number == 0)]
        write_table(files.failures(f"part-{number:05d}"), from_rows(lost, PICTURE_FAILURES), PICTURE_FAILURES)
        write_table(files.plan(f"part-{number:05d}"), from_rows(mine, FOUND), FOUND)
    write_plan(files, config, {"config_hash": "c"})
    return read_json(files.plan_list), {part: read(files.plan(part)) for part in files.parts()}


def read(path) -> list[dict]:
    with parquet_file(path) as file:
        return file.read().to_pylist()


def test_every_picture_goes_somewhere_once_and_copies_meet_over_parts(tmp_path):
    rows = [found(position, position % 700) for position in range(1000)]
    told, shards = planned(tmp_path, rows, 37, ("bad: a", "bad: b", "worse"), samples_per_shard=50, val_share=0.2)
    assert (told["found"], told["copies"], told["failed"], told["kept"]) == (1003, 300, 3, 703)
    assert told["failed_by"] == {"bad": 2, "worse": 1}
    packed = [row for shard in shards.values() for row in shard]
    assert Counter(row["video_id"] for row in packed) == Counter(f"{k:020x}" for k in range(700))
    twice = next(row for row in packed if row["position"] == 42)  # of 42 and 742 the first listed stands
    assert [caption["text"] for caption in twice["captions"]] == ["caption 42", "caption 742"]
    assert twice["scores"] == [("x", 42.0)]
    lost = [row for part in shards for row in read(SetFiles(tmp_path).failures(part))]
    assert sorted(row["path"] for row in lost) == sorted(f"{k}.jpg" for k in range(700, 1000))
    assert all(f"{int(row['path'][:-4]) - 700}.jpg" in row["error"] for row in lost)
    assert 90 < sum(len(shard) for part, shard in shards.items() if part.startswith("val")) < 190  # 140 of 700


def test_shards_do_not_depend_on_parts(tmp_path):
    rows = [found(position, position % 30) for position in range(40)]
    plans = [planned(tmp_path / f"{n}", rows, n, samples_per_shard=7)[1] for n in (3, 11, 40)]
    assert plans[0] == plans[1] == plans[2]


def test_the_order_is_shuffled_by_the_seed_alone(tmp_path):
    rows = [found(position, position) for position in range(200)]
    orders = {}
    for seed in (0, 1):
        (shard,) = planned(tmp_path / f"{seed}", rows, 60, seed=seed, val_share=0.0)[1].values()
        orders[seed] = [row["position"] for row in shard]
        neighbours = sum(abs(a - b) == 1 for a, b in zip(orders[seed], orders[seed][1:], strict=False))
        assert neighbours < 10  # by chance 2 of 199
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1])


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        ({"samples_per_shard": 4}, [4, 4, 2]),
        ({"shard_bytes": 350}, [3, 3, 3, 1]),
        ({"shard_bytes": 300}, [3, 3, 3, 1]),
        ({"shard_bytes": 1}, [1] * 10),
        ({"shard_bytes": 350, "samples_per_shard": 2}, [2] * 5),
    ],
)
def test_a_shard_is_closed_by_samples_or_bytes(tmp_path, settings, counts):
    shards = planned(tmp_path, [found(k, k) for k in range(10)], 4, val_share=0.0, **settings)[1]
    assert [len(shard) for shard in shards.values()] == counts
    assert list(shards) == [f"train/{number:05d}" for number in range(len(counts))]


def test_a_picture_keeps_its_side_whatever_others_there_are(tmp_path):
    def val(rows, name):
        shards = planned(tmp_path / name, rows, 50, val_share=0.3, seed=len(rows))[1]
        return {row["video_id"] for part, shard in shards.items() if part.startswith("val") for row in shard}

    rows = [found(k, k) for k in range(100)]
    few, many = val(rows[::2], "few"), val(rows, "many")
    assert few and few == many & {row["video_id"] for row in rows[::2]}


@pytest.fixture
def few_files():
    """A process that may open some 160 files more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 160, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_there_may_be_more_parts_than_open_files(tmp_path, few_files):
    rows = [found(position, position % 150) for position in range(200)]
    many, one = (planned(tmp_path / f"{n}", rows, n, samples_per_shard=40) for n in (1, 200))
    assert many == one


@pytest.mark.parametrize("at_once", [2, 3])
def test_parts_are_merged_in_as_many_rounds_as_it_takes(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr("curation.pictures.plan.PARTS_AT_ONCE", at_once)
    rows = [found(position, position % 15) for position in range(20)]
    many, one = (planned(tmp_path / f"{n}", rows, n, samples_per_shard=4) for n in (1, 20))
    assert many == one
    assert {path.suffix for path in (tmp_path / "1" / "plan").iterdir()} == {".parquet", ".json"}, (
        "nothing is left over"
    )
