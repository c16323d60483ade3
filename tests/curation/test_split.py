import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from footage import noise_scene, numbered_frame, write_video

from curation import split
from curation.child import ChildUnavailable
from curation.config import InputsConfig, LimitsConfig, SplitConfig
from curation.corpus import update_inputs
from curation.engine import Engine
from curation.listing import list_videos
from curation.proxy_frames import fit_short_side
from curation.read_video import read_video
from curation.retry import chosen
from curation.split import SplitTask
from curation.splitters.adaptive import Adaptive
from curation.splitters.whole import Whole
from curation.tables import Corpus
from curation.unique import unique_videos
from shards.store import remove_temporaries

SCENES = [(1, 14), (2, 20), (3, 16)]  # seed, frames at 10 a second


@pytest.fixture(scope="module")
def footage(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    frames = [frame for seed, count in SCENES for frame in noise_scene(seed, count)]
    write_video(folder / "cuts.mp4", frames, g="12", bf="2")
    write_video(folder / "cuts.mkv", frames, codec="libx265")
    write_video(folder / "short.mp4", noise_scene(5, 4))
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("not a video")
    (folder / "cut off.mp4").write_bytes((folder / "cuts.mp4").read_bytes()[:3000])
    (folder / "bär 花.mp4").write_bytes((folder / "short.mp4").read_bytes())
    return folder


def run(footage: Path, out: Path, config: SplitConfig, kind="local") -> Corpus:
    corpus = Corpus(out)
    update_inputs(corpus, list_videos(str(footage)), InputsConfig(part_max_videos=3))
    task = SplitTask(corpus, config, unique_videos(corpus).copies)
    Engine(kind, 1, out / "journal").run("split", task, corpus.parts("inputs"), lambda part, counts: None)
    return corpus


@pytest.fixture(scope="module")
def corpus(footage, tmp_path_factory) -> Corpus:
    return run(footage, tmp_path_factory.mktemp("out"), SplitConfig())


def by_name(corpus: Corpus) -> dict[str, dict]:
    return {Path(row["path"]).name: row for row in corpus.read_all("videos").to_pylist()}


def test_each_file_has_a_status_and_a_reason(corpus):
    videos = by_name(corpus)
    assert len(videos) == 6, "seven files, one a byte copy"
    assert {name for name, row in videos.items() if row["status"] == "ok"} >= {"cuts.mp4", "cuts.mkv"}
    for name in ("empty.mp4", "text.mp4", "cut off.mp4"):
        assert videos[name]["status"] == "failed" and videos[name]["error"].startswith("cannot be opened")


@pytest.mark.parametrize("name", ["cuts.mp4", "cuts.mkv"])
def test_cuts_are_found_to_the_frame_and_clips_lie_between_them(corpus, name):
    video = by_name(corpus)[name]
    tick_s = video["time_base_num"] / video["time_base_den"]
    ends = np.cumsum([count for _, count in SCENES])
    assert [round((cut - video["first_pts"]) * tick_s * 10) for cut in video["cuts_pts"]] == ends[:-1].tolist()
    clips = [row for row in corpus.read_all("clips").to_pylist() if row["video_id"] == video["video_id"]]
    assert [clip["num_frames"] for clip in clips] == [count for _, count in SCENES]
    assert [clip["clip_id"] for clip in clips] == [
        f"{video['video_id']}-{a * 100:09d}-{b * 100:09d}" for a, b in zip([0, *ends[:-1]], ends, strict=True)
    ]
    assert all(clip["fps"] == pytest.approx(10) for clip in clips)


def test_every_second_is_accounted_for(corpus):
    for row in corpus.read_all("videos").to_pylist():
        if row["status"] == "ok":
            parts = (row["clips_s"], row["transition_s"], row["trimmed_s"], row["short_s"])
            assert sum(parts) == pytest.approx(row["duration_s"], abs=1e-9)
    short = by_name(corpus)["short.mp4" if "short.mp4" in by_name(corpus) else "bär 花.mp4"]
    assert short["short_s"] == pytest.approx(0.4)


def test_proxy_frames_come_at_their_rate(corpus):
    video = by_name(corpus)["cuts.mp4"]
    rows = [row for row in corpus.read_all("proxies").to_pylist() if row["video_id"] == video["video_id"]]
    assert [row["time_s"] for row in rows] == pytest.approx([k / 2 for k in range(10)])
    assert all(row["jpeg"][:2] == b"\xff\xd8" and row["sharpness"] > 0 for row in rows)


def test_limits_fail_a_video_in_words(footage, tmp_path):
    for limits, words in [
        (LimitsConfig(max_frames=10), "too many frames"),
        (LimitsConfig(max_pixels=99), "frame too large"),
    ]:
        with pytest.raises(Exception, match=words):
            read_video("v", str(footage / "cuts.mp4"), SplitConfig(limits=limits), tmp_path / "p.parquet")


def crash_on_cuts(video_id, path, config, proxies, spans):
    """Stands in for a decoder that a poisonous file kills or hangs."""
    if path.endswith("cuts.mp4"):
        os.abort()
    if path.endswith("cuts.mkv"):
        time.sleep(60)
    if path.endswith("text.mp4"):
        raise KeyError("a bug that this file provokes")
    return read_video(video_id, path, config, proxies, spans)


def test_a_crash_and_a_hang_cost_one_video_each(footage, tmp_path, monkeypatch):
    monkeypatch.setattr(split, "read_video", crash_on_cuts)
    videos = by_name(run(footage, tmp_path, SplitConfig(splitter=Adaptive(), limits=LimitsConfig(wall_s=4.0))))
    assert videos["cuts.mp4"]["status"] == "quarantined" and videos["cuts.mp4"]["error"].startswith("crashed")
    assert videos["cuts.mkv"]["status"] == "quarantined" and videos["cuts.mkv"]["error"].startswith("hung")
    assert videos["text.mp4"]["status"] == "failed" and "KeyError" in videos["text.mp4"]["error"]
    short = videos["short.mp4" if "short.mp4" in videos else "bär 花.mp4"]
    assert short["status"] == "ok", "the others go on"


def test_a_part_that_was_lost_is_made_again_to_the_same_bytes(corpus, footage, tmp_path):
    again = run(footage, tmp_path, SplitConfig())
    for table in ("videos", "clips", "proxies"):
        for part in corpus.parts(table):
            assert corpus.path(table, part).read_bytes() == again.path(table, part).read_bytes(), (table, part)
    assert not list(tmp_path.rglob("*.tmp")) and not list((tmp_path / "proxies").glob(".part*"))


def test_rotated_video_gives_upright_clips(tmp_path):
    frames = [np.ascontiguousarray(np.rot90(f)) for f in noise_scene(7, 12)]
    write_video(tmp_path / "r.mp4", frames, rotation_deg=90)
    reading = read_video("v", str(tmp_path / "r.mp4"), SplitConfig(), tmp_path / "p.parquet")
    assert (reading.video["width"], reading.video["height"], reading.video["rotation_deg"]) == (160, 120, 90)


@pytest.mark.parametrize(
    ("size", "side", "fitted"),
    [((1920, 1080), 360, (640, 360)), ((100, 400), 50, (50, 200)), ((64, 48), 360, (64, 48))],
)
def test_frames_are_never_enlarged(size, side, fitted):
    assert fit_short_side(size, side) == fitted


def test_numbered_frames_survive_the_codec(tmp_path):
    path = write_video(tmp_path / "n.mp4", [numbered_frame(k) for k in range(12)])
    reading = read_video("v", str(path), SplitConfig(splitter=Whole()), tmp_path / "p.parquet")
    assert reading.video["num_frames"] == 12
    assert reading.clips[0]["luma_mean"] == pytest.approx(np.mean([20 + 8 * k for k in range(12)]), abs=2)
    assert reading.clips[0]["frame_difference"] == pytest.approx(8, abs=1)


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_where_all_footage_is_not_what_was_listed_the_job_stops_and_none_has_failed(tmp_path, change):
    (tmp_path / "in").mkdir()
    film, away = write_video(tmp_path / "in" / "a.mp4", noise_scene(1, 12)), tmp_path / "away"
    corpus = Corpus(tmp_path / "out")
    update_inputs(corpus, list_videos(str(tmp_path / "in")), InputsConfig())
    film.rename(away)
    if change == "changed":
        film.write_bytes(b"something else")
    worker = SplitTask(corpus, SplitConfig(), unique_videos(corpus).copies).build()
    with pytest.raises(OSError, match=rf"a\.mp4: {change} since it was listed, and so is every other"):
        worker.run("part-00000")
    assert not corpus.parts("videos") and not corpus.parts("clips")
    away.rename(film)
    counts = {"videos": 1, "clips": 1, "footage_s": pytest.approx(1.2), "frames": 12, "ok": 1, "retried": 0}
    assert worker.run("part-00000") == counts
    worker.close()


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_one_file_that_is_not_what_was_listed_costs_that_video_alone(tmp_path, change):
    (tmp_path / "in").mkdir()
    films = [write_video(tmp_path / "in" / f"{name}.mp4", noise_scene(seed, 12)) for seed, name in enumerate("abc")]
    corpus, away = Corpus(tmp_path / "out"), tmp_path / "away"
    update_inputs(corpus, list_videos(str(tmp_path / "in")), InputsConfig(part_max_videos=1))
    films[1].rename(away)
    if change == "changed":
        films[1].write_bytes(films[0].read_bytes())
    worker = SplitTask(corpus, SplitConfig(), unique_videos(corpus).copies).build()
    for part in corpus.parts("inputs"):
        worker.run(part)
    told = [(row["status"], row["error"]) for row in corpus.read_all("videos").to_pylist()]
    assert told == [("ok", None), ("failed", f"{change} since it was listed"), ("ok", None)]
    away.rename(films[1])
    (part, ids), *others = chosen(corpus, "failed").items()
    again = SplitTask(corpus, SplitConfig(), {}, {part: ids}, into=Corpus(tmp_path / "again")).build()
    assert part == "part-00001" and not others and again.run(part)["ok"] == 1
    worker.close()
    again.close()


def test_what_a_file_became_while_it_was_read_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    films = [write_video(tmp_path / "in" / f"{name}.mp4", noise_scene(seed, 12)) for seed, name in enumerate("ab")]
    corpus, try_ = Corpus(tmp_path / "out"), split.SplitWorker._try
    update_inputs(corpus, list_videos(str(tmp_path / "in")), InputsConfig())

    def replaced(worker, video_id, path, proxies):
        reading = try_(worker, video_id, path, proxies)
        if path.endswith("a.mp4"):
            films[0].write_bytes(b"other")
        return reading

    monkeypatch.setattr(split.SplitWorker, "_try", replaced)
    worker = SplitTask(corpus, SplitConfig(), unique_videos(corpus).copies).build()
    assert worker.run("part-00000")["failed"] == 1
    worker.close()
    ids = [row["video_id"] for row in corpus.read_all("videos").to_pylist() if row["status"] == "ok"]
    assert len(ids) == 1
    for table in ("clips", "proxies"):
        assert set(corpus.read_all(table)["video_id"].to_pylist()) == set(ids)


def test_a_worker_of_a_killed_run_writes_nothing_once_the_next_has_tidied_up(footage, tmp_path, monkeypatch):
    """On Ray it may live on for a moment; the pictures that it put aside are gone then."""
    corpus = Corpus(tmp_path)
    update_inputs(corpus, list_videos(str(footage)), InputsConfig())
    worker = SplitTask(corpus, SplitConfig(), unique_videos(corpus).copies).build()
    try_ = worker._try

    def tidied_up(*read):
        reading = try_(*read)
        remove_temporaries(corpus.folder("proxies"))
        return reading

    monkeypatch.setattr(worker, "_try", tidied_up)
    with pytest.raises(OSError, match="parquet"):
        worker.run("part-00000")
    worker.close()
    assert corpus.parts("proxies") == corpus.parts("clips") == corpus.parts("videos") == []


def test_a_file_that_could_not_be_read_when_it_was_listed_is_failed(tmp_path):
    (tmp_path / "films.csv").write_text("path\nmissing.mp4\n")
    corpus = Corpus(tmp_path / "out")
    update_inputs(corpus, list_videos(str(tmp_path / "films.csv")), InputsConfig())
    worker = SplitTask(corpus, SplitConfig(), unique_videos(corpus).copies).build()
    assert worker.run("part-00000")["failed"] == 1
    worker.close()


def test_without_a_child_no_video_is_blamed(footage, tmp_path):
    corpus = Corpus(tmp_path)
    update_inputs(corpus, list_videos(str(footage)), InputsConfig())
    worker = SplitTask(corpus, SplitConfig(), unique_videos(corpus).copies).build()
    worker.close()
    with pytest.raises(ChildUnavailable, match="closed"):
        worker.run("part-00000")
    assert not corpus.parts("videos")


def defect(video_id, path, config, proxies, spans):
    """Stands in for a bug of a splitter."""
    raise ZeroDivisionError("of ours")


def test_an_exception_that_nobody_foresaw_is_counted_by_its_kind_and_shown_once(footage, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(split, "read_video", defect)
    corpus = Corpus(tmp_path)
    update_inputs(corpus, list_videos(str(footage)), InputsConfig())
    worker = SplitTask(corpus, SplitConfig(), unique_videos(corpus).copies).build()
    counts = worker.run("part-00000")
    worker.close()
    assert counts["failed"] == counts["failed by ZeroDivisionError"] == 6
    assert set(corpus.read_all("videos")["error"].to_pylist()) == {"ZeroDivisionError: of ours"}
    assert caplog.text.count("in defect") == 1


def lie(video_id, path, config, proxies, spans):
    """Stands in for a reader that a video has taken over, and that speaks of another video."""
    reading = read_video(video_id, path, config, proxies, spans)
    if path.endswith("a.mp4"):
        reading.clips[0]["video_id"] = "0" * 20
    if path.endswith("b.mp4"):
        return replace(reading, video=reading.video | {"path": "elsewhere"})
    if path.endswith("c.mp4"):
        return replace(reading, video=reading.video | {"num_frames": "many"})
    return reading


def test_a_reader_is_believed_about_its_own_video_only(tmp_path, monkeypatch):
    monkeypatch.setattr(split, "read_video", lie)
    (tmp_path / "in").mkdir()
    for number, name in enumerate("abcd"):
        write_video(tmp_path / "in" / f"{name}.mp4", noise_scene(number, 12))
    videos = by_name(run(tmp_path / "in", tmp_path / "out", SplitConfig(limits=LimitsConfig(attempts=1))))
    assert videos.pop("d.mp4")["status"] == "ok"
    assert {video["status"] for video in videos.values()} == {"quarantined"}
    assert all("its reader's answer is refused" in video["error"] for video in videos.values())


def crash_once(video_id, path, config, proxies, spans):
    """Stands in for a reader that is killed the first time."""
    tried = Path(path).with_suffix(".tried")
    if not tried.exists():
        tried.touch()
        os.abort()
    return read_video(video_id, path, config, proxies, spans)


def test_a_retry_is_told_to_the_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(split, "read_video", crash_once)
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "a.mp4", noise_scene(1, 12))
    corpus = run(tmp_path / "in", tmp_path / "out", SplitConfig())
    assert corpus.read_all("videos")["status"].to_pylist() == ["ok"]
    assert '"retried": 1' in (tmp_path / "out/journal/parts.jsonl").read_text()


def test_joined_files_last_as_long_as_their_parts(tmp_path):
    one = write_video(tmp_path / "one.ts", noise_scene(3, 20))
    (tmp_path / "joined.ts").write_bytes(one.read_bytes() * 2)
    reading = read_video("v", str(tmp_path / "joined.ts"), SplitConfig(), tmp_path / "p.parquet")
    assert reading.video["num_frames"] == 40 and reading.video["duration_s"] == pytest.approx(4.0)
