"""Killed with -9 again and again, curation ends with the bytes of an unbroken run."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from demo_corpus import curate_demo, render_corpus_once

from curation.demo.config import DemoConfig

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TABLES = ("inputs", "videos", "clips", "captions", "proxies", "scores", "verdicts", "shards", "stats")
SMALL = ("--inputs.part_max_videos", "2", "--pack.samples_per_shard", "4")


def start(footage: Path, out: Path, engine: str) -> subprocess.Popen:
    inputs = ["--videos", str(footage / "videos"), "--captions", str(footage / "captions.parquet"), "--out", str(out)]
    command = [sys.executable, "-m", "curation", "run", "--config", "configs/curate/demo.yaml", *inputs, *SMALL]
    return subprocess.Popen([*command, "--engine", engine], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def content(root: Path) -> dict[str, bytes]:
    files = [path for table in TABLES for path in (root / table).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def wait_for_more(process: subprocess.Popen, out: Path, seconds: float) -> None:
    """Until one more part than before stands, and a moment longer; at most until the end."""
    before = len(list(out.rglob("part-*.parquet")))
    while len(list(out.rglob("part-*.parquet"))) <= before and process.poll() is None:
        time.sleep(0.05)
    time.sleep(seconds)


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_killed_runs_end_as_an_unbroken_one(tmp_path_factory, tmp_path, engine):
    footage = render_corpus_once(tmp_path_factory, DemoConfig(seed=5, num_videos=8, scenes_per_video=4, workers=2))
    assert curate_demo(footage, tmp_path / "whole", *SMALL) == 0
    num_killed = 0
    for kill in range(4):
        process = start(footage, tmp_path / "broken", engine)
        wait_for_more(process, tmp_path / "broken", 0.3 * kill)
        num_killed += process.poll() is None
        process.kill()
        process.wait()
    # What the workers of a killed run on Ray had at hand they may finish, so the last runs may come to their end.
    assert num_killed >= 2
    assert curate_demo(footage, tmp_path / "broken", *SMALL) == 0
    whole, broken = content(tmp_path / "whole"), content(tmp_path / "broken")
    assert sorted(whole) == sorted(broken) and [name for name in whole if whole[name] != broken[name]] == []
