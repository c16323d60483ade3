"""Whatever process is killed with -9: the same command ends with the tables of an unbroken run."""

import json
import os
import signal
import sys

import pytest
from kills import content, descendants, render, split_whole, start_split, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]
ACTOR, READER, RAYLET = "ray::RemoteWorkplace", "spawn_main", "raylet/raylet"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Footage and the tables of an unbroken run."""
    folder = tmp_path_factory.mktemp("whole")
    footage = render(folder / "in", range(5))
    split_whole(footage, folder / "out", engine="local", pause_s=0.1)
    return footage, content(folder / "out")


def parts_done(out) -> int:
    return len(list((out / "videos").glob("part-*.parquet")))


@pytest.mark.parametrize("victim", [ACTOR, READER, RAYLET])
def test_a_killed_process_costs_no_video(whole, tmp_path, victim):
    footage, expected = whole
    driver = start_split(footage, tmp_path / "out")
    wait_for(lambda: parts_done(tmp_path / "out"))
    os.kill(wait_for(lambda: descendants(driver.pid, victim))[0], signal.SIGKILL)
    code = driver.wait(120)
    if victim == RAYLET:  # Ray ends a driver that has lost it, unless all was done by then
        split_whole(footage, tmp_path / "out")
    else:
        assert code == 0, (tmp_path / "out.log").read_text()
    assert content(tmp_path / "out") == expected


def test_new_videos_alone_are_split_and_the_others_left_as_they_are(whole, tmp_path):
    render(tmp_path / "in", range(3))
    split_whole(tmp_path / "in", tmp_path / "out", engine="local")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("part-*.parquet")}
    render(tmp_path / "in", range(3, 5))
    split_whole(tmp_path / "in", tmp_path / "out", engine="local")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert parts_done(tmp_path / "out") == 5
    journal = [json.loads(line) for line in (tmp_path / "out/journal/parts.jsonl").read_text().splitlines()]
    assert [entry["part"] for entry in journal] == [f"part-{number:05d}" for number in range(5)]
