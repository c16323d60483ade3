import io
import re
import time

import pytest
from kills import render
from rich.console import Console

from curation import engine as engines
from curation import progress
from curation.config import InputsConfig, SplitConfig
from curation.corpus import update_inputs
from curation.engine import Engine, stop_ray
from curation.listing import list_videos
from curation.progress import Screen
from curation.split import SplitTask
from curation.tables import Corpus


def screen(terminal: bool) -> tuple[Screen, io.StringIO]:
    told = io.StringIO()
    return Screen(Console(file=told, force_terminal=terminal, width=200, soft_wrap=True, highlight=False)), told


def test_plain_lines_come_now_and_then_and_the_last_one_sums_up(monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    mine, told = screen(False)
    with mine.follow("split", 5, "videos") as following:
        following.going("p0", {"videos": 1, "clips": 2, "footage_s": 9.4, "frames": 50, "failed": 1})
        following.going("p0", {"videos": 2, "clips": 3, "footage_s": 9.4, "frames": 70, "failed": 1})
        following.done("p0", {"videos": 3, "clips": 3, "footage_s": 9.4, "frames": 90, "failed": 1})
        following.done("p1", {"videos": 2, "clips": 0, "footage_s": 7200, "frames": 10, "quarantined": 2})
    lines = told.getvalue().splitlines()
    assert [re.match(r"split: (\d) of 5 videos", line)[1] for line in lines[:4]] == ["1", "2", "3", "5"]
    assert "3 clips, 9 s of footage" in lines[2] and "1 failed" in lines[2]
    last = r"split: 5 videos, 3 clips, 2.0 h of footage, [\d,]+ frames/s, 1 failed, 2 quarantined, 0 s"
    assert re.fullmatch(last, lines[4]) and len(lines) == 5


def test_before_anything_is_counted_a_line_ends_with_the_parts(monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    mine, told = screen(False)
    with mine.follow("pack", 2) as following:
        following.going("p0", {})
    assert told.getvalue().splitlines() == ["pack: 0 of 2 parts", "pack: 0 parts, 0 s"]


def test_lines_do_not_come_too_often():
    mine, told = screen(False)
    with mine.follow("score", 100) as following:
        for number in range(100):
            following.done(f"p{number}", {"clips": 1})
    assert told.getvalue() == "score: 100 parts, 100 clips, 0 s\n"


def test_a_terminal_shows_a_bar_with_footage_speed_failures_and_the_time_left():
    mine, told = screen(True)
    with mine.follow("split", 4, "videos") as following:
        for videos in (1, 2, 3):
            time.sleep(0.01)
            following.going("p0", {"videos": videos, "clips": 7, "footage_s": 7200, "frames": 50, "failed": 1})
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", told.getvalue())
    counts = r"3/4\S* videos +7 clips, 2\.0 h of footage, [\d,]+ frames/s, 1 failed"
    assert re.search(rf"split ━.*{counts} 0:00:\d\d 0:00:\d\d", shown)  # time passed, time left


@pytest.fixture
def fast_looks(monkeypatch):
    monkeypatch.setattr(engines, "LOOK_EVERY_S", 0.1)
    yield
    stop_ray()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["local", "ray"])
def test_a_part_at_work_tells_of_its_videos_and_its_warnings(tmp_path, kind, fast_looks, caplog):
    from faulty import Faulty
    from footage import noise_scene, write_video

    footage = render(tmp_path / "in", range(3))
    write_video(footage / "03.mp4", noise_scene(3, 12), fps=16)  # its reader exits, twice
    corpus = Corpus(tmp_path / "out")
    update_inputs(corpus, list_videos(str(footage)), InputsConfig())
    told, done = [], []
    task = SplitTask(corpus, SplitConfig(splitter=Faulty(pause_s=0.05)), {})
    Engine(kind, 1, tmp_path / "journal").run(
        "split",
        task,
        corpus.parts("inputs"),
        lambda part, counts: done.append(counts),
        lambda part, counts: told.append((time.monotonic(), counts)),
    )
    videos = [counts.get("videos", 0) for _, counts in told]
    assert videos == sorted(videos) and {1, 2, 3} <= set(videos), "before the part is done"
    frames = [counts["frames"] for _, counts in told if counts]
    assert len(set(frames)) > 5, "frames are told of inside a video"
    assert done[0]["videos"] == 4 and done[0]["quarantined"] == 1 and done[0]["retried"] == 1
    assert [record.getMessage() for record in caplog.records if "exit code 3; trying" in record.getMessage()]
