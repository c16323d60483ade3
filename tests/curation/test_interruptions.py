"""Killed with -9 again and again, curation ends with the bytes of an unbroken run."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from demo_corpus import curate_demo, render_corpus_once

from curation.demo.config import DemoConfig

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
TABLES = ("inputs", "videos", "clips", "captions", "proxies", "scores", "verdicts", "shards", "stats")
SMALL = ("--inputs.part_max_videos", "2", "--pack.samples_per_shard", "2")
# What workers on Ray have at hand when their driver is killed they may finish: at most the tars of one set, so that
# those of another are left after the last kill.
KILLED_AFTER = ("videos/part-*.parquet", "scores/*/part-*.parquet", "shards/*/*/*.tar", "shards/*/*/*.tar")
LAST = "stats/funnel.parquet"


def start(footage: Path, out: Path, engine: str) -> subprocess.Popen:
    inputs = ["--videos", str(footage / "videos"), "--captions", str(footage / "captions.parquet"), "--out", str(out)]
    command = [sys.executable, "-m", "curation", "run", "--config", "configs/curate/demo.yaml", *inputs, *SMALL]
    return subprocess.Popen([*command, "--engine", engine], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def content(root: Path) -> dict[str, bytes]:
    files = [path for table in TABLES for path in (root / table).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def wait_for_more(process: subprocess.Popen, out: Path, files: str) -> None:
    """Until one more of these files than before stands; at most until the end."""
    before = len(list(out.glob(files)))
    while len(list(out.glob(files))) <= before and process.poll() is None:
        time.sleep(0.02)


@pytest.fixture(scope="module")
def footage(tmp_path_factory) -> Path:
    return render_corpus_once(tmp_path_factory, DemoConfig(seed=5, num_videos=8, scenes_per_video=4, workers=2))


@pytest.fixture(scope="module")
def whole(footage, tmp_path_factory) -> dict[str, bytes]:
    """What an unbroken run writes."""
    out = tmp_path_factory.mktemp("whole")
    assert curate_demo(footage, out, *SMALL) == 0
    return content(out)


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_killed_runs_end_as_an_unbroken_one(footage, whole, tmp_path, engine):
    out = tmp_path / "broken"
    for files in KILLED_AFTER:
        process = start(footage, out, engine)
        wait_for_more(process, out, files)
        process.kill()
        assert process.wait() == -signal.SIGKILL, f"it ended before one more of {files} was seen"
        assert not (out / LAST).exists(), "it had no work left"
    assert curate_demo(footage, out, *SMALL) == 0
    broken = content(out)
    assert sorted(whole) == sorted(broken) and [name for name in whole if whole[name] != broken[name]] == []
