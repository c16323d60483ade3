"""The finished corpus on disk: truth as a decoder sees it, the same bytes each time, faults that are really there."""

import hashlib
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from curation.demo.config import DemoConfig
from curation.demo.corpus import render_corpus
from curation.demo.plan import Encoding, ScenePlan, VideoPlan
from curation.demo.render import render_video
from curation.demo.truth import CAPTIONS, TABLES

CONFIG = DemoConfig(num_videos=8, scenes_per_video=6, width=128, height=96, workers=1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "corpus"
    render_corpus(out, CONFIG)
    return out


@pytest.fixture(scope="module")
def truth(corpus):
    return {name: pq.read_table(corpus / "truth" / f"{name}.parquet").to_pylist() for name in TABLES}


def decode(path):
    """Frames that decode, upright, with their pts."""
    frames = []
    with av.open(path) as container:
        for packet in container.demux(video=0):
            try:
                frames += packet.decode()
            except av.FFmpegError:
                continue
    return [(f.pts, np.rot90(f.to_ndarray(format="rgb24"), f.rotation // 90)) for f in frames]


@pytest.fixture(scope="module")
def decoded(corpus, truth):
    return {row["path"]: decode(corpus / "videos" / row["path"]) for row in truth["videos"] if row["num_frames"]}


def frames_of(scene, decoded):
    return [image for pts, image in decoded[scene["path"]] if scene["start_pts"] <= pts < scene["end_pts"]]


def scenes_with(truth, fault):
    found = [scene for scene in truth["scenes"] if fault in scene["faults"]]
    assert found, fault
    return found


def test_tables_carry_their_docs(corpus):
    paths = {corpus / "truth" / f"{name}.parquet": schema for name, schema in TABLES.items()}
    for path, schema in {**paths, corpus / "captions.parquet": CAPTIONS}.items():
        stored = pq.read_schema(path)
        assert stored.names == schema.names
        assert all(stored.field(name).metadata[b"doc"] == schema.field(name).metadata[b"doc"] for name in schema.names)


def test_every_file_is_in_the_truth(corpus, truth):
    assert {path.name for path in (corpus / "videos").iterdir()} == {row["path"] for row in truth["videos"]}
    assert not list(corpus.glob(".*"))


def test_true_pts_are_decoded_pts(truth, decoded):
    for row in truth["videos"]:
        if row["expected_status"] == "failed":
            continue
        pts = [pts for pts, _ in decoded[row["path"]]]
        assert len(pts) == row["num_frames"] and pts == sorted(pts)
        spans = [(r["start_pts"], r["end_pts"]) for r in truth["scenes"] if r["path"] == row["path"]]
        cuts = [r for r in truth["cuts"] if r["path"] == row["path"]]
        spans += [(r["start_pts"], r["end_pts"]) for r in cuts if r["kind"] != "hard"]
        spans.sort()
        assert {start for start, _ in spans} <= set(pts) and spans[0][0] == pts[0] and spans[-1][1] > pts[-1]
        assert all(end == start for (_, end), (start, _) in pairwise(spans))
        assert {r["start_pts"] for r in cuts} <= {start for start, _ in spans}


def test_pictures_change_at_hard_cuts(truth, decoded):
    jumps = []
    for cut in (c for c in truth["cuts"] if c["kind"] == "hard" and c["path"].startswith("video")):
        frames = decoded[cut["path"]]
        at = [pts for pts, _ in frames].index(cut["start_pts"])
        before, after = frames[at - 1][1], frames[at][1]
        if before.shape == after.shape:
            jumps.append(np.abs(before.astype(int) - after).mean())
    assert np.median(jumps) > 25 and np.mean(np.array(jumps) > 8) > 0.9


def test_seconds_count_from_the_first_frame(truth):
    for scene in truth["scenes"]:
        if scene["scene_index"] == 0:
            assert scene["start_s"] == 0.0
        seconds = (scene["end_pts"] - scene["start_pts"]) * Fraction(scene["time_base_num"], scene["time_base_den"])
        assert scene["end_s"] - scene["start_s"] == pytest.approx(float(seconds))


def test_captions_tell_the_truth_except_where_planted(corpus, truth):
    brought = pq.read_table(corpus / "captions.parquet").to_pylist()
    assert len(brought) == len(truth["scenes"])
    for caption, scene in zip(brought, truth["scenes"], strict=True):
        assert (corpus / caption["path"]).name == scene["path"]
        assert (caption["text"] != scene["caption"]) == ("wrong_caption" in scene["faults"])


def test_failed_files_give_no_frame(corpus, truth):
    failed = [row for row in truth["videos"] if row["expected_status"] == "failed"]
    assert {tag for row in failed for tag in row["tags"]} >= {"truncated", "empty", "text", "audio_only"}
    for row in failed:
        with pytest.raises((av.FFmpegError, IndexError)):
            decode(corpus / "videos" / row["path"])


def test_a_truncated_matroska_yields_less(truth):
    (row,) = [row for row in truth["videos"] if row["tags"] == ["truncated"] and row["container"] == "mkv"]
    assert row["expected_status"] == "ok" and 0 < row["num_frames"] < 3 * 1.2 * 24


def test_variable_frame_rate_has_unequal_distances(truth, decoded):
    (row,) = [row for row in truth["videos"] if "variable_frame_rate" in row["tags"]]
    distances = np.diff([pts for pts, _ in decoded[row["path"]]])
    assert row["fps"] is None and distances.std() > 0.2 * distances.mean()


def test_rotated_video_displays_upright(corpus, truth, decoded):
    (row,) = [row for row in truth["videos"] if "rotated" in row["tags"]]
    with av.open(corpus / "videos" / row["path"]) as container:
        assert next(container.decode(video=0)).rotation != 0
    assert decoded[row["path"]][0][1].shape == (row["height"], row["width"], 3) == (96, 128, 3)


def test_the_size_jumps(truth, decoded):
    sizes = {frames_of(scene, decoded)[0].shape for scene in scenes_with(truth, "resolution_jump")}
    assert len(sizes) == 2


def test_still_and_dark_and_bars_are_seen(truth, decoded):
    for scene in scenes_with(truth, "still"):
        frames = np.stack(frames_of(scene, decoded)).astype(int)
        assert np.median(np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))) < 0.5
    for scene in scenes_with(truth, "dark"):
        assert np.mean(frames_of(scene, decoded)[0]) < 25
    for scene in scenes_with(truth, "letterbox"):
        assert frames_of(scene, decoded)[1][:8].mean() < 8
    for scene in scenes_with(truth, "pillarbox"):
        assert frames_of(scene, decoded)[1][:, :10].mean() < 8


def test_copies_show_what_they_copy(corpus, truth, decoded):
    at = {f"{scene['path']}#{scene['scene_index']}": scene for scene in truth["scenes"]}
    for fault, most in (("exact_duplicate", 0), ("byte_copy", 0), ("near_duplicate", 25)):
        for scene in scenes_with(truth, fault):
            ours, theirs = frames_of(scene, decoded), frames_of(at[scene["duplicate_of"]], decoded)
            assert np.abs(ours[1].astype(int) - theirs[1]).mean() <= most
    for row in truth["videos"]:
        if "byte_copy" in row["tags"]:
            one, other = (corpus / "videos" / row[key] for key in ("path", "copy_of"))
            assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    "format", ["h264 mp4", "h264 mkv", "h264 ts", "hevc mp4", "vp9 webm", "av1 mp4", "mpeg4 avi", "mjpeg mov"]
)
def test_the_same_plan_gives_the_same_bytes(tmp_path, format):
    codec, container = format.split()
    scenes = tuple(ScenePlan((0, 1, 2, index), 0.8) for index in range(2))
    encoding = Encoding(codec, container, Fraction(24), b_frames=2 if format == "h264 mp4" else 0)
    plan = VideoPlan(f"video.{container}", encoding, scenes)
    digests = set()
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        render_video(folder, plan, [], 128, 96)
        digests.add(hashlib.sha256((folder / plan.path).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_finished_corpus_is_left_alone(corpus):
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    render_corpus(corpus, replace(CONFIG, workers=2))
    assert before == {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}


def test_another_config_and_foreign_footage_are_refused(corpus, tmp_path):
    with pytest.raises(ValueError, match="another config"):
        render_corpus(corpus, replace(CONFIG, seed=1))
    (tmp_path / "videos").mkdir()
    with pytest.raises(ValueError, match="no finished demo corpus"):
        render_corpus(tmp_path, CONFIG)
