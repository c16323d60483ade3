import errno
import hashlib
import io
import json
import os
import tarfile
import weakref

import av
import pyarrow.parquet as pq
import pytest
from footage import number_of, numbered_frame, write_video
from samples import make_sample

from shards.encode import EncodeSettings, cut_clip
from shards.manifest import generation_of
from shards.reader import ShardSet
from shards.schema import INDEX, SCHEMA_VERSION
from shards.writer import index_path, write_manifest, write_shard, write_shards


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_index_says_where_every_byte_lies(tmp_path):
    samples = [make_sample(k, video=os.urandom(100 + 700 * k)) for k in range(5)]
    tar = tmp_path / "00000.tar"
    index = write_shard(tar, iter(samples))
    assert names(tmp_path) == ["00000.parquet", "00000.tar"]
    stored = pq.ParquetFile(index_path(tar)).read()
    assert stored.equals(index) and stored.schema.equals(INDEX)
    data = tar.read_bytes()
    for sample, row in zip(samples, stored.to_pylist(), strict=True):
        assert row["key"] == sample.key and dict(row["scores"]) == sample.meta["scores"]
        assert row["captions"] == sample.meta["captions"]
        members = {
            m["extension"]: data[m["offset_bytes"] : m["offset_bytes"] + m["size_bytes"]] for m in row["members"]
        }
        assert members == sample.members()


def test_plain_webdataset_reads_a_shard(tmp_path):
    import webdataset

    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(6)])
    clip = cut_clip(str(path), 0, 10**6, EncodeSettings())
    samples = [make_sample(0, video=clip.content), make_sample(1, video=clip.content)]
    write_shard(tmp_path / "00000.tar", samples)
    # `decode()` leaves mp4 to handlers that one adds; json and txt it knows.
    read = list(webdataset.WebDataset(str(tmp_path / "00000.tar"), shardshuffle=False).decode())
    assert [sample["__key__"] for sample in read] == [sample.key for sample in samples]
    for sample, got in zip(samples, read, strict=True):
        assert got["json"] == sample.meta and got["txt"] == sample.caption and got["mp4"] == sample.content
    with av.open(io.BytesIO(read[0]["mp4"])) as container:
        assert [number_of(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)] == [0, 1, 2, 3, 4, 5]


def test_equal_samples_give_equal_bytes(tmp_path, monkeypatch):
    for name, now in (("a", 1e9), ("b", 1.7e9)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        write_shard(tmp_path / name / "00000.tar", [make_sample(k) for k in range(4)])
    for name in ("00000.tar", "00000.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    with tarfile.open(tmp_path / "a" / "00000.tar") as tar:
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in tar} == {
            (0, 0, 0, "rushes", "rushes", 0o644)
        }


def test_videos_are_not_gathered_in_memory(tmp_path):
    made: list[weakref.ref] = []

    def samples():
        for k in range(6):
            assert sum(ref() is not None for ref in made) <= 1, "the one just written"
            sample = make_sample(k)
            made.append(weakref.ref(sample))
            yield sample
            del sample

    assert len(write_shard(tmp_path / "00000.tar", samples())) == 6


def test_an_empty_shard_is_whole(tmp_path):
    assert len(write_shard(tmp_path / "00000.tar", [])) == 0
    assert names(tmp_path) == ["00000.parquet", "00000.tar"]
    with tarfile.open(tmp_path / "00000.tar") as tar:
        assert tar.getnames() == []


def test_a_failure_leaves_no_file_and_no_index_of_an_older_tar(tmp_path):
    def samples():
        yield make_sample(0)
        raise OSError(errno.ENOSPC, "No space left on device")

    tar = tmp_path / "00000.tar"
    with pytest.raises(OSError, match="No space left"):
        write_shard(tar, samples())
    assert names(tmp_path) == []
    write_shard(tar, [make_sample(0)])
    with pytest.raises(OSError, match="No space left"):
        write_shard(tar, samples())
    assert not index_path(tar).exists(), "the shard is to be written again"


def test_a_full_disk_leaves_no_half_file(tmp_path):
    import resource
    import signal

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OSError):
            write_shard(tmp_path / "00000.tar", (make_sample(k, video=bytes(9_000)) for k in range(20)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    assert names(tmp_path) == []


def test_a_key_twice_or_a_field_of_another_type_is_refused(tmp_path):
    with pytest.raises(ValueError, match="two samples have the key"):
        write_shard(tmp_path / "00000.tar", [make_sample(0), make_sample(0)])
    with pytest.raises((ValueError, TypeError)):
        write_shard(tmp_path / "00000.tar", [make_sample(0, fps="fast")])
    assert names(tmp_path) == []


def test_the_manifest_sums_up_the_shards(tmp_path):
    for number, count in enumerate((3, 2)):
        write_shard(tmp_path / f"{number:05d}.tar", [make_sample(10 * number + k) for k in range(count)])
    manifest = write_manifest(tmp_path, "c0ffee")
    assert manifest == json.loads((tmp_path / "manifest.json").read_text())
    data = [(tmp_path / f"0000{k}.tar").read_bytes() for k in range(2)]
    assert manifest["schema_version"] == SCHEMA_VERSION and manifest["config_hash"] == "c0ffee"
    assert (manifest["num_samples"], manifest["size_bytes"]) == (5, sum(map(len, data)))
    assert [(s["name"], s["num_samples"], s["size_bytes"], s["sha256"]) for s in manifest["shards"]] == [
        (f"0000{k}", 3 - k, len(data[k]), hashlib.sha256(data[k]).hexdigest()) for k in range(2)
    ]
    for shard in manifest["shards"]:
        index = (tmp_path / f"{shard['name']}.parquet").read_bytes()
        assert shard["index_sha256"] == hashlib.sha256(index).hexdigest()
    (tmp_path / "00001.tar").unlink()
    with pytest.raises(ValueError, match=r"00001\.tar is missing"):
        write_manifest(tmp_path, "c0ffee")


def test_no_shards_at_all_is_a_set_too(tmp_path):
    manifest = write_manifest(tmp_path / "val", "c0ffee")
    assert (manifest["num_samples"], manifest["shards"]) == (0, [])


def test_a_shard_of_too_many_bytes_becomes_several(tmp_path):
    samples = [make_sample(number) for number in range(7)]  # of 600 to 606 bytes
    index = write_shards(tmp_path / "00003.tar", iter(samples), 1300)
    assert index["key"].to_pylist() == [sample.key for sample in samples]
    assert sorted(path.name for path in tmp_path.glob("*.tar")) == [
        f"00003{end}.tar" for end in ("", "_01", "_02", "_03")
    ]
    assert [shard["num_samples"] for shard in write_manifest(tmp_path, "c0ffee")["shards"]] == [2, 2, 2, 1]
    read = ShardSet(tmp_path)
    assert [read.read(i) for i in range(7)] == samples
    assert generation_of("g012-00003_01") == 12


def test_a_sample_larger_than_a_shard_has_one_of_its_own_and_none_makes_an_empty_one(tmp_path):
    write_shards(tmp_path / "a" / "00000.tar", [make_sample(0), make_sample(1)], 1)
    assert [shard["num_samples"] for shard in write_manifest(tmp_path / "a", "c0ffee")["shards"]] == [1, 1]
    assert len(write_shards(tmp_path / "b" / "00000.tar", [], 1)) == 0
    assert (tmp_path / "b" / "00000.parquet").exists()


def test_the_first_index_comes_last(tmp_path):
    seen = []

    def samples():
        for number in range(4):
            yield make_sample(number)
        seen.extend(path.name for path in tmp_path.glob("*.parquet"))

    write_shards(tmp_path / "00000.tar", samples(), 1300)
    assert seen == []
    (tmp_path / "00000.parquet").unlink()

    def broken():
        yield from (make_sample(number) for number in range(3))
        raise OSError("the disk")

    with pytest.raises(OSError, match="the disk"):
        write_shards(tmp_path / "00000.tar", broken(), 1300)
    assert not (tmp_path / "00000.parquet").exists()
