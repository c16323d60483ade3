"""Pictures of known content through the whole command: each kind of source, faults, resuming, and other readers."""

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from kills import wait_for
from picturebook import content, encoded, huge_png, left_out, noise, pack, put, samples, tar_of, thirds, turned
from spoil import faults

from shards.describe import describe
from shards.loader import Loader
from shards.order import Order
from shards.reader import ShardSet
from shards.sample import arrow_schema
from shards.store import read_json

GOOD = {
    "a/0.jpg": encoded(noise(0)),
    "a/0.txt": "zero",
    "1.png": encoded(noise(1), "PNG"),
    "1.txt": "\ufeffone\n",
    "2.webp": encoded(noise(2), "WEBP"),
    "named wrong.jpg": encoded(noise(3), "PNG"),
    "turned.jpeg": turned(6),
}
BAD = {
    "broken.jpg": b"no picture",
    "short.png": encoded(noise(4), "PNG")[:900],
    "huge.png": huge_png(),
    "latin.jpg": encoded(noise(5)),
    "latin.txt": b"\xff",
    "b/copy.jpg": GOOD["a/0.jpg"],
    "b/copy.txt": "zero again",
    "moving.gif": b"GIF89a",
}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A set of a folder with good and bad pictures, and its manifest."""
    root = tmp_path_factory.mktemp("folder")
    manifest = pack(put(root / "pictures", GOOD | BAD), root / "out", samples_per_shard=2)
    return root, manifest


def test_the_sum_holds_and_every_reason_is_told(packed):
    root, manifest = packed
    counts = {name: manifest[name] for name in ("found", "train", "val", "copies", "failed", "kept")}
    assert counts == {"found": 11, "train": 5, "val": 0, "copies": 1, "failed": 5, "kept": 10}
    reasons = left_out(root / "out")
    assert set(reasons) == {"broken.jpg", "short.png", "huge.png", "latin.jpg", "copy.jpg", "moving.gif"}
    assert reasons["huge.png"].startswith("more than ") and reasons["short.png"].startswith("does not decode")
    assert reasons["latin.jpg"].startswith("its words cannot be read: sidecar: its caption is not UTF-8")
    assert reasons["copy.jpg"].startswith("a copy: it has the bytes of") and "a/0.jpg" in reasons["copy.jpg"]
    assert reasons["moving.gif"] == "of a format that is not packed: gif"
    assert sum(manifest["failed_by"].values()) == 5 and manifest["failed_by"]["more than 89478485 pixels"] == 1


def test_samples_hold_the_bytes_and_what_is_known_of_them(packed):
    found = samples(packed[0] / "out")
    assert {name: s.content for name, s in found.items()} == {
        name.rsplit("/", 1)[-1]: data for name, data in GOOD.items() if not name.endswith(".txt")
    }
    assert {name: (s.extension, s.meta["width"], s.meta["height"]) for name, s in found.items()} == {
        "0.jpg": ("jpg", 60, 40),
        "1.png": ("png", 60, 40),
        "2.webp": ("webp", 60, 40),
        "named wrong.jpg": ("png", 60, 40),
        "turned.jpeg": ("jpg", 40, 60),
    }
    assert [c["text"] for c in found["0.jpg"].meta["captions"]] == ["zero", "zero again"]
    assert found["1.png"].meta["captions"] == [{"text": "one", "source": "sidecar"}]
    assert found["2.webp"].meta["captions"] == [] and found["2.webp"].caption == ""
    for sample in found.values():
        assert sample.key == sample.meta["video_id"] and len(sample.key) == 20
        told = {
            name: sample.meta[name] for name in ("num_frames", "fps", "duration_s", "start_pts", "made_by", "scores")
        }
        assert told == dict(num_frames=1, fps=None, duration_s=None, start_pts=None, made_by="brought", scores={})


def test_it_is_a_set_like_any_other(packed):
    out = packed[0] / "out"
    assert faults(out, "all") == faults(out, "none") == {}
    lines = "\n".join(describe(out, list_shards=True))
    assert "not packed      5 of 10 samples" in lines and "60x40" in lines and "sidecar" in lines
    assert [shard["num_samples"] for shard in read_json(out / "train" / "manifest.json")["shards"]] == [2, 2, 1]


def test_a_second_run_does_nothing_and_another_is_refused(packed, tmp_path):
    root, manifest = packed
    before = content(root / "out")
    assert pack(root / "pictures", root / "out", samples_per_shard=2) == manifest
    with pytest.raises(ValueError, match=r"settings.samples_per_shard was 2, is 3.* say --force"):
        pack(root / "pictures", root / "out", samples_per_shard=3)
    assert content(root / "out") == before
    with pytest.raises(ValueError, match=r"lies in .* name another OUT"):
        pack(root, root / "out")


def test_changed_pictures_are_refused_until_forced(tmp_path):
    put(tmp_path / "in", {"a.jpg": encoded(noise(1)), "a.txt": "one"})
    pack(tmp_path / "in", tmp_path / "out")
    put(tmp_path / "in", {"b.jpg": encoded(noise(2))})
    with pytest.raises(ValueError, match=r"pictures was '\w+', is '\w+'.* say --force"):
        pack(tmp_path / "in", tmp_path / "out")
    assert pack(tmp_path / "in", tmp_path / "out", force=True)["train"] == 2
    assert set(samples(tmp_path / "out")) == {"a.jpg", "b.jpg"} and faults(tmp_path / "out") == {}
    (aside,) = (tmp_path / "out" / "aside").iterdir()
    assert len(ShardSet(aside / "train")) == 1


def test_what_others_made_is_not_touched(tmp_path):
    put(tmp_path, {"in/a.jpg": encoded(noise(1)), "out/manifest.json": "{}"})
    for force in (False, True):
        with pytest.raises(ValueError, match=r"has not made"):
            pack(tmp_path / "in", tmp_path / "out", force=force)
    assert content(tmp_path / "out") == {"manifest.json": b"{}"}


def test_a_picture_that_changes_on_the_way_stops_the_run(tmp_path, monkeypatch):
    put(tmp_path / "in", {"a.jpg": encoded(noise(1))})
    stop = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)  # noqa: E731
    monkeypatch.setattr("curation.pictures.pack.write_shard", stop)
    with pytest.raises(KeyboardInterrupt):
        pack(tmp_path / "in", tmp_path / "out")
    monkeypatch.undo()
    path = tmp_path / "in" / "a.jpg"
    stamp = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(ValueError, match=r"a\.jpg has changed since it was looked at"):
        pack(tmp_path / "in", tmp_path / "out")


def test_a_table(tmp_path):
    rows = "path,caption,caption_blip,aesthetic\na/0.jpg,zero,a zero,5.5\n1.png,one,,\nnone.png,gone,,1\n"
    put(tmp_path / "in", GOOD | {"t.csv": rows})
    manifest = pack(tmp_path / "in" / "t.csv", tmp_path / "out")
    assert (manifest["found"], manifest["train"], manifest["failed"]) == (3, 2, 1)
    assert left_out(tmp_path / "out") == {"none.png": "there is no such file"}
    found = samples(tmp_path / "out")
    captions = [{"text": "zero", "source": "t"}, {"text": "a zero", "source": "blip"}]
    assert found["0.jpg"].meta["captions"] == captions and found["0.jpg"].meta["scores"] == {"aesthetic": 5.5}
    assert found["1.png"].meta["scores"] == {} and faults(tmp_path / "out", "all") == {}


def test_tars_of_webdataset(tmp_path):
    """Two as img2dataset writes them, the second cut short within its last picture."""
    members: dict[str, bytes | str] = {}
    for number in range(4):
        told = {"caption": f"caption {number}", "similarity": 0.5 + number, "width": 60, "url": "http://x"}
        members |= {f"{number:09d}.jpg": encoded(noise(number)), f"{number:09d}.json": json.dumps(told)}
        members |= {f"{number:09d}.txt": f"caption {number}"}
    first = dict(list(members.items())[:6]) | {"../../up.jpg": encoded(noise(9)), "x.seg.png": b"x"}
    second = dict(list(members.items())[6:8]) | {"000000003.jpg": members["000000003.jpg"]}
    whole = tar_of(second)
    at = whole.index(members["000000003.jpg"]) + 100
    put(tmp_path / "in", {"00000.tar": tar_of(first), "00001.tar": whole[:at], "00000.parquet": b"not looked at"})
    manifest = pack(tmp_path / "in", tmp_path / "out")
    assert (manifest["found"], manifest["train"], manifest["failed"]) == (7, 3, 4)
    reasons = left_out(tmp_path / "out")
    assert reasons["00001.tar!000000003.jpg"].startswith("cut short: 100 of its ")
    assert reasons["00001.tar"].startswith("the tar is cut short or damaged")
    assert reasons["up.jpg"].startswith("its name leads out") and "first dot" in reasons["00000.tar!x.seg.png"]
    found = samples(tmp_path / "out")
    assert found["00000.tar!000000001.jpg"].content == members["000000001.jpg"]
    assert found["00000.tar!000000001.jpg"].meta["captions"] == [{"text": "caption 1", "source": "txt"}]
    assert found["00001.tar!000000002.jpg"].meta["scores"] == {"similarity": 2.5}
    assert faults(tmp_path / "out", "all") == {}


def test_from_an_address_to_an_address(bucket, tmp_path):
    for name, data in GOOD.items():
        (bucket / "in" / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    (bucket / "in" / "x.tar").write_bytes(tar_of({"0.jpg": encoded(noise(7)), "0.txt": "in a tar"}))
    manifest = pack(bucket / "in", bucket / "out", samples_per_shard=3, part_max_pictures=4)
    assert (manifest["found"], manifest["train"]) == (6, 6)
    found = samples(bucket / "out")
    assert found["x.tar!0.jpg"].content == encoded(noise(7)) and found["x.tar!0.jpg"].caption == "in a tar"
    assert found["0.jpg"].content == GOOD["a/0.jpg"] and found["0.jpg"].caption == "zero"
    assert faults(bucket / "out", "all") == {}
    assert pack(bucket / "in", bucket / "out", samples_per_shard=3) == manifest
    assert pack(bucket / "in", bucket / "out", force=True)["train"] == 6


def test_our_reader_need_not_know(packed):
    shards = ShardSet(packed[0] / "out" / "train")
    order = Order(shards.shard_sizes, np.zeros(5, int), [2], seed=0)
    with closing(Loader([(shards, order)], workers=2).batches()) as batches:
        read = [sample for batch in islice(batches, 5) for sample in batch.samples]
    assert sorted(sample.key for sample in read) == sorted(2 * shards.keys)
    assert {sample.extension for sample in read} == {"jpg", "png", "webp"}


def test_webdataset_reads_it(packed):
    import webdataset

    urls = [str(path) for path in sorted((packed[0] / "out" / "train").glob("*.tar"))]
    read = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    shards = ShardSet(packed[0] / "out" / "train")
    for i, got in enumerate(read):
        sample = shards.read(i)
        assert got["__key__"] == sample.key and got["json"] == sample.meta and got["txt"] == sample.caption
        assert got[sample.extension].shape[2] == 3
    assert len(read) == 5


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_reads_it(packed, streaming, tmp_path, monkeypatch):
    """Pictures of several formats are columns that are null where a sample is of another."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    import datasets

    folder = packed[0] / "out" / "train"
    files = {"train": [str(path) for path in sorted(folder.glob("*.tar"))]}
    shards = ShardSet(folder)
    options = {"features": datasets.Features.from_arrow_schema(arrow_schema(shards.index)), "cache_dir": str(tmp_path)}
    rows = list(datasets.load_dataset("webdataset", data_files=files, split="train", streaming=streaming, **options))
    assert len(rows) == 5
    for i, row in enumerate(rows):
        sample = shards.read(i)
        contents = {name: row[name] for name in ("jpg", "png", "webp") if row[name] is not None}
        assert contents == {sample.extension: sample.content} and row["txt"] == sample.caption


def start(root: Path, name: str, **environment: str) -> subprocess.Popen:
    arguments = ["--pictures", str(root / "in"), "--out", str(root / name), "--val_share", "0.2"]
    arguments += ["--samples_per_shard", "5", "--part_max_pictures", "20"]
    command = [sys.executable, "-m", "curation", "pictures", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ | environment)


@pytest.mark.slow
def test_killed_runs_end_as_an_unbroken_one(tmp_path):
    """Killed amid the scan, amid the plan of shards, and amid the shards."""
    for number in range(160):
        put(tmp_path / "in", {f"{number}.png": encoded(noise(number % 150), "PNG"), f"{number}.txt": f"{number}"})
    whole = start(tmp_path, "whole")
    assert whole.wait(200) == 0, whole.stderr.read()
    out, num_killed = tmp_path / "broken", 0
    for pattern, number in (("plan/part-*", 2), ("plan/train-*", 1), ("train/*.tar", 1), ("train/*.tar", 9)):
        process = start(tmp_path, "broken")
        wait_for(lambda: len(list(out.glob(pattern))) >= number or process.poll() is not None, 120)  # noqa: B023
        process.kill()
        num_killed += process.wait() == -9
        time.sleep(0.2)
    assert num_killed >= 3 and not (out / "manifest.json").exists()
    last = start(tmp_path, "broken")
    assert last.wait(200) == 0, last.stderr.read()
    assert content(out) == content(tmp_path / "whole")
    manifest = read_json(out / "manifest.json")
    assert (manifest["found"], manifest["copies"], manifest["train"] + manifest["val"]) == (160, 10, 150)


def test_one_run_at_a_time_and_a_line_for_what_can_be_mended(tmp_path, capsys):
    from curation.__main__ import main

    put(tmp_path / "in", {"a.jpg": encoded(thirds())})
    assert main(["pictures", "--pictures", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    assert "1 found = 1 train + 0 val + 0 copies + 0 failed" in capsys.readouterr().out
    assert main(["pictures", "--pictures", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert "there is no picture and no tar" in capsys.readouterr().err
    wrong = ["pictures", "--pictures", str(tmp_path / "in"), "--out", str(tmp_path / "o"), "--val_share", "2"]
    assert main(wrong) != 0 and "val_share" in capsys.readouterr().err
    assert main(["pictures", "--out", str(tmp_path / "o")]) != 0
