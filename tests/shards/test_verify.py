"""Damage of a set as a whole: what `verify` says of it, and what the reader does."""

import json
from random import Random

import pyarrow.parquet as pq
import pytest
from spoil import (
    KEYS,
    TRAIN,
    change_index,
    change_manifest,
    faults,
    flip,
    only_fault,
    pack,
    place_of,
    read_all,
    sha256,
    sign,
)

from shards.reader import ShardSet
from shards.sample import Sample
from shards.verify import verify
from shards.writer import write_shard


@pytest.mark.parametrize("decode", ["first", "all", "none"])
def test_a_set_that_is_well(whole, decode):
    found = list(verify(whole, decode))
    assert [(c.name, c.num_samples, c.problem) for c in found] == [
        ("train/00000", 3, None),
        ("train/00001", 3, None),
        ("val/00000", 2, None),
    ]
    assert sum(c.size_bytes for c in found) == sum(path.stat().st_size for path in whole.rglob("*.tar"))
    assert [c.name for c in verify(whole / "val", decode)] == ["00000"], "a split by itself"


def test_nothing_is_written(whole):
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    list(verify(whole))
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before


def test_a_flipped_byte_of_an_index_is_found(root, tar):
    index, random = tar.with_suffix(".parquet"), Random(0)
    data = index.read_bytes()
    for _ in range(20):
        index.write_bytes(data)
        flip(index, random.randrange(len(data)), 1 << random.randrange(8))
        name, *_, reason = only_fault(root, "none")
        assert name == "train/00001" and "00001.parquet is not the index that manifest.json lists" in reason
        with pytest.raises(ValueError, match=r"00001\.parquet is not the index that manifest\.json lists"):
            ShardSet(root / "train")


def test_an_index_of_nonsense_whose_hash_is_right_is_found_or_gives_no_wrong_sample(root, tar):
    index, manifest, random = tar.with_suffix(".parquet"), root / "train" / "manifest.json", Random(0)
    data, truth = index.read_bytes(), {sample.key: sample for sample in TRAIN}
    shards = json.loads(manifest.read_text())["shards"]
    table, num_found = pq.ParquetFile(index).read(), 0
    for _ in range(150):
        index.write_bytes(data)
        flip(index, random.randrange(len(data)), 1 << random.randrange(8))
        change_manifest(manifest, shards=[shards[0], shards[1] | {"index_sha256": sha256(index)}])
        found = faults(root, "none")
        num_found += bool(found)
        assert found or pq.ParquetFile(index).read().equals(table)
        try:
            samples, skipped = read_all(root)
        except ValueError as error:
            assert "00001.parquet" in str(error) or "in two samples" in str(error)
            continue
        assert all(truth.get(key) == sample for key, sample in samples.items())
        assert len(samples) + len(skipped) == 6
    assert num_found > 50


@pytest.mark.parametrize("suffix", [".tar", ".parquet"])
def test_a_missing_tar_or_index(root, tar, suffix):
    tar.with_suffix(suffix).unlink()
    assert only_fault(root) == ("train/00001", "", "", f"00001{suffix} is missing though manifest.json lists it")
    with pytest.raises(ValueError, match=rf"00001\{suffix} is missing"):
        ShardSet(root / "train")


def test_a_shard_that_is_replaced_under_our_feet(root, tar):
    shards, size = ShardSet(root / "train"), tar.stat().st_size
    other = [Sample(s.key, bytes(len(s.content)), s.meta) for s in TRAIN[3:]]
    write_shard(root / "other.tar", other)
    (root / "other.tar").replace(tar)
    assert tar.stat().st_size == size and shards.read(0) == TRAIN[0]
    for i in (3, 4, 5):
        with pytest.raises(ValueError, match=rf"00001\.tar does not hold sample {KEYS[i]} .*its mp4 has other bytes"):
            shards.read(i)
    (root / "other.parquet").unlink()
    assert only_fault(root)[:3] == ("train/00001", KEYS[3], "mp4")


def test_a_shard_replaced_with_its_index_is_told_by_its_hash(root, tar):
    write_shard(tar, [Sample(s.key, bytes(len(s.content)), s.meta) for s in TRAIN[3:]])
    assert "00001.parquet is not the index" in only_fault(root)[3]
    with pytest.raises(ValueError, match=r"00001\.parquet is not the index"):
        ShardSet(root / "train")
    path = root / "train" / "manifest.json"
    shards = json.loads(path.read_text())["shards"]
    index = sha256(tar.with_suffix(".parquet"))
    change_manifest(path, shards=[shards[0], shards[1] | {"index_sha256": index}])
    assert only_fault(root, "none")[3].startswith("the tar has another SHA-256")
    assert only_fault(root)[1:3] == (KEYS[3], "mp4"), "it is no video either"


@pytest.mark.parametrize("key", ["../x", "/x", "a.b", ""])
def test_a_key_that_breaks_the_rule(root, tar, key):
    change_index(tar, 1, key=key)
    sign(root)
    assert "cannot be a key" in only_fault(root)[3]
    samples, skipped = read_all(root)
    assert set(samples) == {*KEYS} - {KEYS[4]} and "cannot be a sample's key" in skipped[key]


def test_a_key_that_stands_twice(whole, tmp_path):
    twice = pack(tmp_path / "a", train=[*TRAIN[:3], TRAIN[1]])
    assert only_fault(twice) == ("train/00001", KEYS[1], "", "its key stands in train/00000 too")
    with pytest.raises(ValueError, match=rf"has the key {KEYS[1]} in two samples"):
        ShardSet(twice / "train")
    leak = pack(tmp_path / "b", val=[TRAIN[4]])
    assert only_fault(leak) == ("val/00000", KEYS[4], "", "its key stands in train/00001 too")


def test_every_bad_shard_is_told_and_the_others_are_well(root, tar):
    flip(tar, place_of(tar, 0, "mp4")["offset_bytes"])
    (root / "val" / "00000.parquet").unlink()
    assert set(faults(root)) == {"train/00001", "val/00000"}


def test_a_set_at_an_address(root, tar, bucket):
    bucket.fs.put(str(root), (bucket / "hq").path, recursive=True)
    assert [(c.name, c.problem) for c in verify(bucket / "hq", "all")] == [
        (name, None) for name in ("train/00000", "train/00001", "val/00000")
    ]
    place = place_of(tar, 1, "mp4")
    flip(tar, place["offset_bytes"] + 100)
    bucket.fs.put_file(str(tar), (bucket / "hq/train/00001.tar").path)
    assert only_fault(bucket / "hq")[:3] == ("train/00001", KEYS[4], "mp4")
    (bucket / "hq/train/00001.tar").unlink()
    assert "00001.tar is missing" in only_fault(bucket / "hq")[3]


def test_trouble_of_the_disk_is_no_fault_of_the_set(root, tar, monkeypatch):
    from pathlib import Path

    opened = Path.open

    def failing(path, *args, **kwargs):
        if path == tar:
            raise OSError(5, "Input/output error", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", failing)
    with pytest.raises(OSError, match="Input/output error"):
        list(verify(root))


def test_hashes_are_those_of_the_files(whole):
    manifest = json.loads((whole / "train" / "manifest.json").read_text())
    assert [shard["sha256"] for shard in manifest["shards"]] == [
        sha256(whole / "train" / f"{shard['name']}.tar") for shard in manifest["shards"]
    ]
