"""The whole of curation on a small demo corpus: its mechanics. What it measures is in test_accuracy.py."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import webdataset
from demo_corpus import curate_demo, read, render_corpus_once
from footage import noise_scene, write_video

from curation.demo.config import DemoConfig

SAME_BYTES = ("inputs", "videos", "clips", "captions", "proxies", "scores", "verdicts", "shards", "stats")
SMALL = ("--inputs.part_max_videos", "4", "--pack.samples_per_shard", "8")


@pytest.fixture(scope="module")
def footage(tmp_path_factory) -> Path:
    return render_corpus_once(tmp_path_factory, DemoConfig(seed=5, num_videos=8, scenes_per_video=4, workers=2))


def curate(footage: Path, out: Path, *arguments: str) -> int:
    return curate_demo(footage, out, *SMALL, *arguments)


@pytest.fixture(scope="module")
def curated(footage, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("curated")
    assert curate(footage, out) == 0
    return out


def tables(root: Path) -> dict[str, bytes]:
    """Every file that must be equal from run to run, with its bytes."""
    paths = [path for table in SAME_BYTES for path in (root / table).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def status_by_file(root: Path) -> dict[str, str]:
    return {Path(row["path"]).name: row["status"] for row in read(root, "videos")}


def test_each_file_ends_as_the_truth_says(footage, curated):
    status = status_by_file(curated)
    truth = pq.read_table(footage / "truth/videos.parquet").to_pylist()
    known = {row["path"]: row["expected_status"] for row in truth if row["path"] in status}
    assert len(known) == len(status) >= 12
    assert status == known


def test_plain_webdataset_reads_the_shards(curated):
    tars = sorted((curated / "shards/pretrain/train").glob("*.tar"))
    samples = list(webdataset.WebDataset([str(tar) for tar in tars], shardshuffle=False).decode())
    assert len(samples) == len(read(curated, "shards/pretrain/train")) >= 8
    for sample in samples:
        assert sample["__key__"] == sample["json"]["key"] and sample["mp4"][4:8] == b"ftyp"
        assert sample["txt"] == sample["json"]["captions"][0]["text"]
        assert sample["json"]["scores"]["motion"] > 0


def test_a_second_run_does_no_work_and_says_so(footage, curated, capsys):
    before = {path: path.stat().st_mtime_ns for path in (curated / "shards").rglob("*.tar")}
    before |= {path: path.stat().st_mtime_ns for path in (curated / "scores").rglob("*.parquet")}
    assert curate(footage, curated) == 0
    assert capsys.readouterr().out.count("nothing to do") == 6  # split, score, dedup, and pack of three sets
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.slow
def test_ray_gives_the_same_bytes(footage, curated, tmp_path):
    assert curate(footage, tmp_path / "ray", "--engine", "ray") == 0
    here, there = tables(curated), tables(tmp_path / "ray")
    assert sorted(here) == sorted(there) and [name for name in here if here[name] != there[name]] == []


def test_what_was_lost_is_made_again_to_the_same_bytes(footage, curated, tmp_path):
    shutil.copytree(curated, tmp_path / "again")
    for lost in (
        "videos/part-00001.parquet",
        "scores/motion/part-00000.parquet",
        "shards/pretrain/train/00001.parquet",
    ):
        (tmp_path / "again" / lost).unlink()
    shutil.rmtree(tmp_path / "again/scores/dedup")
    assert curate(footage, tmp_path / "again") == 0
    whole, again = tables(curated), tables(tmp_path / "again")
    assert sorted(whole) == sorted(again) and [name for name in whole if whole[name] != again[name]] == []


def test_a_changed_configuration_is_refused_and_forced(footage, curated, tmp_path, capsys):
    shutil.copytree(curated, tmp_path / "out")
    change = ("--scorers.motion.flow_short_side_px", "64")
    assert curate(footage, tmp_path / "out", *change) == 1
    words = capsys.readouterr().err
    assert "flow_short_side_px was 128, is 64" in words and "FORCE=score" in words
    assert tables(tmp_path / "out") == tables(curated), "nothing was touched"
    assert curate(footage, tmp_path / "out", *change, "--force", "score") == 0
    assert list((tmp_path / "out/aside").glob("*/scores/motion/part-00000.parquet"))
    assert not list((tmp_path / "out/aside").glob("*/scores/openclip")), "what has not changed stays"
    said = capsys.readouterr().out
    assert "split: nothing to do" in said and "score motion: 5 parts" in said and "dedup: nothing to do" in said


def test_force_pack_moves_only_the_sets_that_changed(footage, curated, tmp_path):
    shutil.copytree(curated, tmp_path / "out")
    change = ("--sets.hq", '{"rules": [{"column": "motion", "min": 0.2}]}')
    assert curate(footage, tmp_path / "out", *change) == 0
    assert '"no_longer_kept": 4' in (tmp_path / "out/shards/hq/manifest.json").read_text()
    assert not (tmp_path / "out/aside").exists()
    assert curate(footage, tmp_path / "out", *change, "--force", "pack") == 0
    assert list((tmp_path / "out/aside").glob("*/shards/hq/manifest.json"))
    assert not list((tmp_path / "out/aside").glob("*/shards/pretrain"))


def test_new_footage_makes_new_parts_only(footage, curated, tmp_path, capsys):
    shutil.copytree(curated, tmp_path / "out")
    late = tmp_path / "late"
    late.mkdir()
    write_video(late / "new.mp4", noise_scene(9, 30))
    assert curate(footage, tmp_path / "out", "--videos", str(late), "--force", "pack") == 0
    before, after = tables(curated), tables(tmp_path / "out")
    kept = [name for name in before if name.split("/")[0] in ("inputs", "videos", "clips", "proxies", "captions")]
    assert [name for name in kept if after[name] != before[name]] == []
    assert status_by_file(tmp_path / "out") == status_by_file(curated) | {"new.mp4": "ok"}
    assert "1 of them new" in capsys.readouterr().out
