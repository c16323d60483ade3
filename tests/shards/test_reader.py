import io
import json

import numpy as np
import pytest
from samples import make_sample
from spoil import change_index

from shards.reader import ShardSet
from shards.schema import SCHEMA_VERSION
from shards.writer import write_manifest, write_shard

SAMPLES = [make_sample(k) for k in range(11)]


@pytest.fixture
def folder(tmp_path):
    for number, (first, last) in enumerate([(0, 5), (5, 5), (5, 11)]):
        write_shard(tmp_path / f"{number:05d}.tar", SAMPLES[first:last])
    write_manifest(tmp_path, "c0ffee")
    return tmp_path


def test_every_sample_comes_back(folder):
    shards = ShardSet(folder)
    assert len(shards) == 11 and shards.keys == [sample.key for sample in SAMPLES]
    for i in (10, 0, 5, 4, *range(11)):
        assert shards.read(i) == SAMPLES[i]
    assert shards.index["num_frames"].to_pylist() == [25] * 11


def test_a_sample_is_one_read_of_its_own_bytes(folder, monkeypatch):
    import pathlib

    shards, reads = ShardSet(folder), []
    opened = pathlib.Path.open

    def watched(path, *args, **kwargs):
        file = opened(path, *args, **kwargs)
        reads.append((path.name, file))
        return file

    monkeypatch.setattr(pathlib.Path, "open", watched)
    sample = shards.read(7)
    assert [name for name, _ in reads] == ["00002.tar"]
    span = sum(len(data) for data in sample.members().values()) + 2 * (512 + 511)
    row = shards.index["members"][7].as_py()
    start, end = min(m["offset_bytes"] for m in row), max(m["offset_bytes"] + m["size_bytes"] for m in row)
    assert end - start <= span, "json, mp4 and txt of a sample lie side by side"


@pytest.mark.parametrize("i", [-1, 11, 100])
def test_there_is_no_other_sample(folder, i):
    with pytest.raises(IndexError, match=f"no sample {i}"):
        ShardSet(folder).read(i)


def test_an_order_is_a_permutation_and_a_pure_function(folder):
    orders = {(seed, epoch): ShardSet(folder).order(seed, epoch) for seed in range(3) for epoch in range(3)}
    for order in orders.values():
        assert sorted(order) == list(range(11))
    assert len({tuple(order) for order in orders.values()}) == 9
    again = ShardSet(folder)
    again.read(3)
    np.random.seed(5)
    assert np.array_equal(again.order(2, 1), orders[2, 1])
    assert ShardSet(folder).order(0, 0).tolist() == [0, 8, 9, 3, 7, 5, 1, 2, 10, 6, 4], "as on every machine"


def test_an_empty_set_can_be_read(tmp_path):
    write_manifest(tmp_path, "c0ffee")
    shards = ShardSet(tmp_path)
    assert len(shards) == 0 and shards.keys == [] and len(shards.order(0, 0)) == 0


def test_what_is_missing_is_named(folder):
    for name in ("00002.tar", "00000.parquet", "manifest.json"):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        with pytest.raises(ValueError, match=rf"{name} is missing"):
            ShardSet(folder)
        (folder / name).write_bytes(content)
    assert len(ShardSet(folder)) == 11
    with pytest.raises(ValueError, match="is no finished shard set"):
        ShardSet(folder / "nowhere")


def test_a_manifest_of_another_version_or_none_at_all_is_refused(folder):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"schema_version": 0}))
    with pytest.raises(ValueError, match=f"schema version 0, this code reads {SCHEMA_VERSION}"):
        ShardSet(folder)
    for text, reason in (("{", "not valid JSON"), ("[]", "schema version None")):
        path.write_text(text)
        with pytest.raises(ValueError, match=reason):
            ShardSet(folder)


def test_a_tar_or_index_that_is_not_the_manifests_is_refused(folder):
    tar, index = folder / "00002.tar", folder / "00000.parquet"
    data = tar.read_bytes()
    tar.write_bytes(data[:-1])
    with pytest.raises(ValueError, match=r"00002\.tar has"):
        ShardSet(folder)
    tar.write_bytes(data)
    content = index.read_bytes()
    index.write_bytes((folder / "00001.parquet").read_bytes())
    with pytest.raises(ValueError, match=r"00000\.parquet is not the index that manifest\.json lists"):
        ShardSet(folder)
    index.write_bytes(content[:100])
    with pytest.raises(ValueError, match="its SHA-256 is another"):
        ShardSet(folder)


def test_a_tar_that_changes_under_our_feet_is_noticed(folder):
    shards, tar = ShardSet(folder), folder / "00002.tar"
    data = tar.read_bytes()
    tar.write_bytes(data[:2000])
    with pytest.raises(ValueError, match=rf"does not hold sample {SAMPLES[10].key}"):
        shards.read(10)
    tar.write_bytes(bytes(len(data)))
    with pytest.raises(ValueError, match="its json has other bytes"):
        shards.read(5)


@pytest.mark.parametrize(
    "place",
    [
        {"size_bytes": 2**50},
        {"size_bytes": 2**63 - 1},
        {"offset_bytes": 2**63 - 1},
        {"offset_bytes": -512},
        {"size_bytes": -1},
    ],
)
def test_an_index_that_leads_out_of_its_tar_is_refused(folder, place):
    tar = folder / "00002.tar"
    members = ShardSet(folder).index["members"][7].as_py()
    change_index(tar, 2, members=[members[0], members[1] | place, members[2]])
    write_manifest(folder, "c0ffee")
    with pytest.raises(ValueError, match=r"00002\.parquet is no index of its tar: a member lies outside"):
        ShardSet(folder)


def test_the_last_byte_of_a_tar_may_be_a_members(folder):
    tar = folder / "00002.tar"
    members, size = ShardSet(folder).index["members"][7].as_py(), tar.stat().st_size
    last = members[2] | {"offset_bytes": size - 9, "size_bytes": 9}
    change_index(tar, 2, members=[*members[:2], last])
    write_manifest(folder, "c0ffee")
    assert len(ShardSet(folder)) == 11


def test_a_disk_that_gives_less_than_it_was_asked_for(folder, monkeypatch):
    class Short(io.FileIO):
        def read(self, size=-1):
            return super().read(min(size, 100))

    shards = ShardSet(folder)
    monkeypatch.setattr("pathlib.Path.open", lambda path, *_, **__: Short(path))
    assert shards.read(7) == SAMPLES[7]


def test_a_flipped_bit_is_noticed(folder):
    shards, tar = ShardSet(folder), folder / "00000.tar"
    (place,) = (m for m in shards.index["members"][3].as_py() if m["extension"] == "mp4")
    data = bytearray(tar.read_bytes())
    data[place["offset_bytes"] + 17] ^= 4
    tar.write_bytes(data)
    with pytest.raises(ValueError, match=rf"does not hold sample {SAMPLES[3].key} .*its mp4 has other bytes"):
        shards.read(3)
    assert [shards.read(i) for i in (2, 4)] == [SAMPLES[i] for i in (2, 4)]


def test_a_set_at_an_address_is_read_like_a_local_one(bucket, monkeypatch):
    for number, (first, last) in enumerate([(0, 5), (5, 11)]):
        write_shard(bucket / f"{number:05d}.tar", SAMPLES[first:last])
    write_manifest(bucket, "c0ffee")
    shards = ShardSet(bucket)
    assert shards.shard_sizes.tolist() == [5, 6]
    asked = []
    whole = bucket.fs.cat_file

    def watched(path, start=None, end=None):
        asked.append((path, start, end))
        return whole(path, start=start, end=end)

    monkeypatch.setattr(bucket.fs, "cat_file", watched)
    assert [shards.read(i) for i in (7, 0, 10)] == [SAMPLES[i] for i in (7, 0, 10)]
    row = shards.index["members"][7].as_py()
    start, end = min(m["offset_bytes"] for m in row), max(m["offset_bytes"] + m["size_bytes"] for m in row)
    assert len(asked) == 3 and asked[0] == ((bucket / "00001.tar").path, start, end), "one ranged read a sample"
    with pytest.raises(ValueError, match=r"s3://.*manifest\.json is missing"):
        ShardSet(bucket / "nowhere")
    (bucket / "00001.tar").unlink()
    with pytest.raises(OSError, match=r"00001\.tar"):
        shards.read(7)
    with pytest.raises(ValueError, match=r"00001\.tar is missing"):
        ShardSet(bucket)
