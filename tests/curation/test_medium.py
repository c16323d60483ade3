"""The truth of the medium: flags and faults in small rendered videos, and every file of the real footage."""

import json
import os
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from footage import damage_packets, noise_scene, numbered_frame, small, write_streams, write_video

from curation.config import SplitConfig
from curation.measure import FrameLog
from curation.medium import MediumLog
from curation.proxies import ProxyReader
from curation.read_video import read_video
from curation.splitters.adaptive import Adaptive
from curation.splitters.whole import Whole
from shards.frame import Frame, Orientation
from shards.schema import CLIPS, VIDEOS, from_rows
from shards.video import VideoError

CONFIG = SplitConfig(splitter=Whole(), min_clip_s=0.01)
OUTSIDE = ("clips_s", "transition_s", "trimmed_s", "short_s", "failed_s")


def read(path, tmp_path, spans=None, **settings):
    """The row of `videos` and those of `clips`, whose sums hold."""
    reading = read_video("v", str(path), replace(CONFIG, **settings), tmp_path / "proxies.parquet", spans)
    from_rows([reading.video], VIDEOS), from_rows(reading.clips, CLIPS)
    assert sum(reading.video[name] for name in OUTSIDE) == pytest.approx(reading.video["duration_s"])
    assert sum(clip["duration_s"] for clip in reading.clips) == pytest.approx(reading.video["clips_s"])
    return reading.video, reading.clips


def encode(path, pictures, codec="libx264", pixel_format="yuv420p", options=None, interlaced=False, **tags):
    """Writes pictures, uint8 (H, W, 3) RGB, with tags of the codec such as `color_trc`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options=options or {})
        stream.height, stream.width, _ = pictures[0].shape
        stream.pix_fmt = pixel_format
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pixel_format)
            for name, value in tags.items():
                if name.startswith("color"):
                    setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_colours_are_recorded_and_hdr_is_marked(tmp_path):
    tags = {"color_trc": 16, "color_primaries": 9, "colorspace": 9, "color_range": 1}
    path = encode(
        tmp_path / "a.mp4", noise_scene(0, 8), "libx265", "yuv420p10le", {"x265-params": "log-level=0"}, **tags
    )
    video, clips = read(path, tmp_path)
    assert [video[name] for name in ("color_transfer", "color_primaries", "color_space", "color_range")] == [
        16,
        9,
        9,
        1,
    ]
    assert video["pixel_format"] == "yuv420p10le" and clips[0]["is_hdr"] == 1


def test_plain_video_is_told_as_such(tmp_path):
    video, clips = read(write_video(tmp_path / "a.mp4", noise_scene(0, 8)), tmp_path)
    told = ("is_mirrored", "rotation_deg", "has_alpha", "interlaced_share", "failed_s", "num_decode_errors")
    assert [video[name] for name in told] == [0] * 6 and video["span_problems"] == []
    assert (video["num_video_streams"], video["stream_index"]) == (1, 0)
    assert (clips[0]["is_hdr"], clips[0]["interlaced_share"]) == (0, 0.0)


def test_interlaced_frames_are_counted(tmp_path):
    path = encode(tmp_path / "a.mp4", noise_scene(0, 8), options={"x264-params": "tff=1:interlaced=1"})
    video, clips = read(path, tmp_path)
    assert video["interlaced_share"] == clips[0]["interlaced_share"] == 1.0


def test_an_alpha_channel_is_recorded(tmp_path):
    path = encode(tmp_path / "a.mov", noise_scene(0, 4), "prores_ks", "yuva444p10le", {"profile": "4444"})
    assert read(path, tmp_path)[0]["has_alpha"] is True


@pytest.mark.parametrize("size", [(161, 121), (33, 35), (16, 1)])
def test_odd_sizes_are_kept(tmp_path, size):
    path = encode(tmp_path / "a.mkv", [numbered_frame(k, size) for k in range(6)], "ffv1", "yuv444p")
    video, clips = read(path, tmp_path)
    assert (video["width"], video["height"], video["num_frames"], len(clips)) == (*size, 6, 1)


def test_pixels_that_are_not_square_are_widened(tmp_path):
    path = encode(tmp_path / "a.mp4", noise_scene(0, 4), sample_aspect_ratio=Fraction(4, 3))
    video, _ = read(path, tmp_path)
    assert (video["width"], video["height"]) == (round(160 * 4 / 3), 120)
    _, picture = next(iter(ProxyReader(tmp_path / "proxies.parquet").frames("v", -1, 1)))
    assert picture.shape == (120, 213, 3)


def test_a_mirror_and_a_turn_are_recorded_and_proxy_frames_are_upright(tmp_path):
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:24, :32] = (250, 0, 0)
    stored = np.ascontiguousarray(np.rot90(upright)[:, ::-1])
    path = write_video(tmp_path / "a.mp4", [stored] * 4, matrix=[0, -65536, 0, -65536, 0, 0, 0, 0, 2**30])
    video, _ = read(path, tmp_path)
    assert (video["is_mirrored"], video["rotation_deg"]) == (True, 90)
    assert (video["width"], video["height"]) == (96, 64)
    _, picture = next(iter(ProxyReader(tmp_path / "proxies.parquet").frames("v", -1, 1)))
    assert np.abs(picture.astype(int) - upright).mean() < 20


def test_the_stream_of_most_pixels_is_split(tmp_path):
    path = write_streams(tmp_path / "a.mp4", [[numbered_frame(3)] * 4, [numbered_frame(9, (128, 96))] * 6])
    video, _ = read(path, tmp_path)
    told = ("num_video_streams", "stream_index", "width", "num_frames")
    assert [video[name] for name in told] == [2, 1, 128, 6]


def test_time_may_start_anywhere(tmp_path):
    pts = [5000, 5040, 5100, 5300, 5310, 5500]
    path = write_video(tmp_path / "a.mkv", [numbered_frame(k) for k in range(6)], pts=pts)
    video, clips = read(path, tmp_path)
    assert (video["first_pts"], video["end_pts"] - pts[-1] <= 200) == (5000, True)
    assert (clips[0]["start_s"], clips[0]["num_frames"]) == (0.0, 6)


def test_a_change_of_size_is_a_boundary_and_a_clip_has_one_size(tmp_path):
    parts = [
        write_video(tmp_path / f"{side}.ts", [numbered_frame(k, (side, side)) for k in range(9)]) for side in (96, 128)
    ]
    (tmp_path / "joined.ts").write_bytes(b"".join(path.read_bytes() for path in parts))
    video, clips = read(tmp_path / "joined.ts", tmp_path)
    assert [(clip["width"], clip["height"], clip["num_frames"]) for clip in clips] == [(96, 96, 9), (128, 128, 9)]
    assert video["cuts_pts"] == [clips[1]["start_pts"]] and video["width"] == 96


def copied(path, start_pts, end_pts):
    """Times of the frames that the packets from one keyframe to the next one named give by themselves."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        keyframes = {packet.pts: number for number, packet in enumerate(packets) if packet.is_keyframe}
        decoder = av.CodecContext.create(stream.codec_context.name, "r")
        decoder.extradata = stream.codec_context.extradata
        chosen = packets[keyframes[start_pts] : keyframes.get(end_pts)]
        return [frame.pts for packet in [*chosen, None] for frame in decoder.decode(packet)]


@pytest.mark.parametrize("settings", [{}, {"max_clip_s": 2.0}, {"trim_s": 0.4}])
def test_clips_that_snap_to_keyframes_can_be_copied_from_the_stream(tmp_path, settings):
    path = write_video(tmp_path / "a.mp4", noise_scene(1, 37) + noise_scene(2, 42), g="7", bf="3", sc_threshold="0")
    _, clips = read(path, tmp_path, snap="keyframe", splitter=Adaptive(), **settings)
    assert len(clips) >= 2
    for clip in clips:
        pts = copied(path, clip["start_pts"], clip["end_pts"])
        assert len(pts) == clip["num_frames"]
        assert all(clip["start_pts"] <= time < clip["end_pts"] for time in pts)


def test_lost_footage_is_a_hole_in_no_clip(tmp_path):
    path = write_video(tmp_path / "a.avi", [numbered_frame(k) for k in range(30)], g="1")
    path.write_bytes(damage_packets(path.read_bytes(), {10, 11, 20}))
    video, clips = read(path, tmp_path)
    assert (video["num_frames"], video["num_decode_errors"]) == (27, 3)
    assert video["failed_s"] == pytest.approx(0.3) and video["clips_s"] == pytest.approx(2.7)
    assert [clip["num_frames"] for clip in clips] == [10, 8, 9]


def test_a_start_that_does_not_decode_is_passed_over(tmp_path):
    path = write_video(tmp_path / "a.ts", noise_scene(0, 30), g="10", bf="0")
    whole, _ = read(path, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: 3 * 188] + data[188 * (len(data) // 188 // 6) :])  # the tables, then from amid a GOP on
    video, clips = read(path, tmp_path)
    assert (video["num_frames"], video["first_pts"]) == (20, whole["first_pts"] + 90_000)
    assert [(clip["start_s"], clip["num_frames"]) for clip in clips] == [(0, 20)]


def test_a_last_frame_that_claims_hours_is_not_believed(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        frames = [av.VideoFrame.from_ndarray(numbered_frame(k), "rgb24") for k in range(10)]
        packets = [packet for frame in [*frames, None] for packet in stream.encode(frame)]
        packets[-1].duration = 36_000
        container.mux(packets)
    assert read(path, tmp_path)[0]["duration_s"] == pytest.approx(1.0)


class Marked:
    """Stands in for a decoded frame."""

    def __init__(self, corrupt: bool = False) -> None:
        self.width, self.height = 96, 64
        self.key_frame, self.interlaced_frame, self.is_corrupt = False, False, corrupt


class Upright(Frame):
    """One of which no side data need be read."""

    orientation = Orientation()


def medium(folder, pts, corrupt=()):
    log = FrameLog(folder)
    found = MediumLog(log)
    for time in pts:
        log.add(small(time, numbered_frame(0)))
        found.add(Upright(time, Marked(time in corrupt), Fraction(1)))
    return found


@pytest.mark.parametrize(
    ("lost", "holes"),
    [
        ([], []),
        ([40, 50], [(40, 60)]),
        ([55], [(40, 60)]),  # nearer to the frame behind it
        ([-20, 200], []),  # before the first frame and behind the last
        ([10], [(20, 20)]),  # no time is missing: a boundary
        ([95, 40], [(40, 60), (90, 100)]),
    ],
)
def test_holes_lie_between_frames_where_packets_were_lost(tmp_path, lost, holes):
    assert medium(tmp_path, [0, 10, 20, 30, 60, 70, 80, 100, 110]).holes(lost, 120) == holes


def test_a_corrupt_frame_is_a_hole_and_holes_that_touch_are_one(tmp_path):
    assert medium(tmp_path, [0, 10, 20, 30, 60, 70], corrupt={30, 70}).holes([40], 80) == [(30, 60), (70, 80)]


MEDIA = os.environ.get("RUSHES_MEDIA")
ENTRIES = json.loads((Path(MEDIA) / "manifest.json").read_text())["files"] if MEDIA else []
ENTRIES = [e for e in ENTRIES if e["path"].startswith(("video/", "derived/")) and not e["path"].endswith(".png")]
MORE_FRAMES = {
    "video/decord__corrupted.mp4": (49, "1 of 50 packets is damaged; the probe stopped there"),
    "video/media__sample_with_invalid_nalu.mp4": (29, "1 of 30 packets is damaged; the probe stopped there"),
    "video/mp4parse-rust__no_timescale.mp4": (170, "12 of 182 packets are damaged; the probe stopped at the first"),
    "video/torchcodec__nasa_13013.mp4": (390, "the probe counted stream 0; stream 3 has more pixels"),
}
TRANSFERS = {"bt709": 1, "smpte170m": 6, "arib-std-b67": 18}


def reason(entry):
    """Why an entry without frames fails."""
    probe = entry["probe"]
    if not (Path(MEDIA) / entry["path"]).stat().st_size:
        return "cannot be opened: the file is empty"
    if not probe["n_video_streams"]:
        return "no video stream" if probe.get("pyav_error") == "novideo" else "cannot be opened: Invalid data"
    return "no frame could be decoded"


@pytest.mark.skipif(not MEDIA, reason="RUSHES_MEDIA is not set: no real footage to test on")
def test_the_table_of_real_footage_is_whole():
    assert len(ENTRIES) > 70 and set(MORE_FRAMES) < {entry["path"] for entry in ENTRIES}
    assert Counter(bool(entry["probe"].get("frames_decoded")) for entry in ENTRIES)[False] >= 14


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["path"])
def test_real_footage_is_split_to_its_frames_or_fails_for_its_reason(entry, tmp_path):
    path, probe, truth = Path(MEDIA or "") / entry["path"], entry["probe"], entry.get("truth") or {}
    num_frames, _ = MORE_FRAMES.get(entry["path"], (probe.get("frames_decoded"), ""))
    if not num_frames:
        with pytest.raises(VideoError, match=reason(entry)):
            read(path, tmp_path)
        return
    video, clips = read(path, tmp_path)
    assert video["num_frames"] == num_frames
    assert (video["num_decode_errors"] > 0) == ("packets" in MORE_FRAMES.get(entry["path"], (0, ""))[1])
    assert video["failed_s"] == 0 or video["num_decode_errors"]
    frames_in_clips = sum(clip["num_frames"] for clip in clips)
    assert frames_in_clips == num_frames if not video["num_decode_errors"] else frames_in_clips > 0.7 * num_frames
    assert all(a["end_pts"] <= b["start_pts"] for a, b in pairwise(clips))
    check_flags(video, clips, probe, truth)


def check_flags(video, clips, probe, truth):
    """What the manifest tells of the medium is in the rows."""
    if "upstream_rotation" in truth:
        assert video["rotation_deg"] == truth["upstream_rotation"]
    if probe["n_video_streams"] == 1 and not video["rotation_deg"]:
        width, height = Fraction(probe.get("sar", "1:1").replace(":", "/")), 1
        stored = {(round(w * width), h * height) for w, h in probe["decoded_sizes"]}
        assert {(clip["width"], clip["height"]) for clip in clips} == stored
    if "best_stream" in truth:
        assert video["stream_index"] == truth["best_stream"]
    if probe.get("transfer") in TRANSFERS and probe["n_video_streams"] == 1:
        assert video["color_transfer"] == TRANSFERS[probe["transfer"]]
        assert clips[0]["is_hdr"] == (probe["transfer"] == "arib-std-b67")
    if probe["n_video_streams"] == 1 and probe.get("first_pts_s") is not None:
        start_s = video["first_pts"] * video["time_base_num"] / video["time_base_den"]
        assert start_s == pytest.approx(probe["first_pts_s"], abs=1e-3)
    assert video["interlaced_share"] == (probe.get("field_order") == "tt")
    assert video["duration_s"] < 60


@pytest.mark.parametrize("name", ["media__sample_rotate_and_reflect.mp4"])
def test_the_real_mirror_is_recorded(media: Path, tmp_path, name):
    video, _ = read(media / "video" / name, tmp_path)
    assert (video["is_mirrored"], video["rotation_deg"], video["width"], video["height"]) == (True, 270, 720, 1080)


@pytest.mark.parametrize("name", ["moviepy__transparent.webm", "moviepy__no_duration.webm"])
def test_the_real_alpha_is_recorded(media: Path, tmp_path, name):
    assert read(media / "video" / name, tmp_path)[0]["has_alpha"]
