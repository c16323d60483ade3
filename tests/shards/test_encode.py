import io
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from footage import noise_scene, number_of, numbered_frame, write_video

from shards.encode import EncodeSettings, check_settings, cut_clip, encode_frames
from shards.video import VideoError, open_video

PLAIN = EncodeSettings()


def times(path):
    """Pts of every frame, and the seconds of a tick."""
    with open_video(str(path)) as video:
        return [frame.pts for frame in video.frames()], video.info.time_base


def cut(path, first, last, settings=PLAIN):
    """The frames number `first` to `last - 1`, as counted from the video's first frame."""
    pts, _ = times(path)
    end = pts[last] if last < len(pts) else pts[-1] + (pts[-1] - pts[-2])
    return cut_clip(str(path), pts[first], end, settings)


def decoded(clip):
    """(seconds, frame) of a packed video, as any reader sees them."""
    with av.open(io.BytesIO(clip.content)) as container:
        stream = container.streams.video[0]
        return [(frame.pts * stream.time_base, frame) for frame in container.decode(stream)]


def numbers(clip):
    return [number_of(frame.to_ndarray(format="rgb24")) for _, frame in decoded(clip)]


@pytest.mark.parametrize(("first", "last"), [(0, 3), (5, 12), (11, 12), (17, 25)])
def test_exactly_the_span_comes_out_at_its_times(tmp_path, first, last):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(25)], g="7", bf="2")
    clip = cut(path, first, last)
    assert numbers(clip) == list(range(first, last))
    assert [time for time, _ in decoded(clip)] == [Fraction(k, 10) for k in range(last - first)]
    assert (clip.num_frames, clip.fps, clip.width, clip.height) == (last - first, 10.0, 96, 64)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_variable_frame_rate_stays_variable(tmp_path, suffix):
    pts = [0, 40, 200, 210, 500, 900, 933, 1000, 1500, 1517]
    path = write_video(tmp_path / f"a.{suffix}", [numbered_frame(k) for k in range(10)], pts=pts)
    clip = cut(path, 2, 9)
    assert numbers(clip) == list(range(2, 9))
    assert [time for time, _ in decoded(clip)] == [Fraction(t - 200, 1000) for t in pts[2:9]]
    assert clip.fps == pytest.approx(7 / 1.317)


def test_reordered_frames_keep_times_and_the_first_is_at_zero(tmp_path):
    path = write_video(tmp_path / "a.mp4", noise_scene(0, 40, shift_px=2.5), bf="3", g="40")
    clip = cut(path, 7, 33)
    frames = decoded(clip)
    assert PictureType.B in {frame.pict_type for _, frame in frames}, (
        "the packed video must have B-frames to prove anything"
    )
    assert [time for time, _ in frames] == [Fraction(k, 10) for k in range(26)]
    with open_video(str(path)) as video:
        source = [frame.rgb(*frame.size) for frame in video.frames()][7:33]
    for (_, frame), wanted in zip(frames, source, strict=True):
        assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - wanted).mean() < 2.5


def test_keyframes_stand_where_we_set_them_and_not_where_the_source_had_them(tmp_path):
    path = write_video(tmp_path / "a.mp4", noise_scene(0, 26), g="1")
    clip = cut(path, 0, 26, EncodeSettings(gop_frames=12))
    assert [k for k, (_, frame) in enumerate(decoded(clip)) if frame.key_frame] == [0, 12, 24]


def test_equal_input_gives_equal_bytes(tmp_path):
    path = write_video(tmp_path / "a.mp4", noise_scene(3, 30, shift_px=0.7, size=(200, 200)), bf="2")
    clips = []
    for size in (1, 400_000, 90_000, 1_700_000):  # other memory each time: an encoder must not read what is no picture
        filler = np.random.default_rng(size).integers(0, 255, size, np.uint8)
        clips.append(cut(path, 4, 26))
        del filler
    assert len({clip.content for clip in clips}) == 1
    assert b"Lavf" not in clips[0].content, "no version of the muxer in the bytes"


def test_the_index_of_the_mp4_stands_in_front(tmp_path):
    video = cut(write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(5)]), 0, 5).content
    assert 0 < video.find(b"moov") < video.find(b"mdat")


def test_scaling_to_a_short_side(tmp_path):
    clip = cut(write_video(tmp_path / "a.mp4", noise_scene(1, 4)), 0, 4, EncodeSettings(short_side_px=60))
    assert (clip.width, clip.height) == (80, 60)
    assert decoded(clip)[0][1].to_ndarray(format="rgb24").shape == (60, 80, 3)


def test_what_cannot_be_cut_says_why(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(5)])
    with pytest.raises(VideoError, match="no frame in the span"):
        cut_clip(str(path), 10**9, 10**9 + 1000, PLAIN)
    with pytest.raises(VideoError, match="cannot be opened"):
        cut_clip(str(tmp_path / "gone.mp4"), 0, 100, PLAIN)
    with pytest.raises(VideoError, match="cannot be encoded"):
        cut_clip(str(path), 0, 10**6, EncodeSettings(preset="veryfastt"))


WRONG = [
    ({"codec": "libx2646"}, "libx2646"),
    ({"codec": "rawvideo"}, "rawvideo"),
    ({"preset": "quick"}, "quick"),
    ({"codec": "mpeg4", "preset": None}, "mpeg4 does not know crf"),
    ({"options": {"tnue": "film"}}, "libx264 does not know tnue"),
    ({"options": {"tune": "movie"}}, "movie"),
    ({"short_side_px": 1}, "short_side_px: 1"),
    ({"fps": 0.0}, "fps: 0.0"),
    ({"fps": -5.0}, "fps: -5.0"),
    ({"fps": float("nan")}, "fps: nan"),
    ({"fps": float("inf")}, "fps: inf"),
]


@pytest.mark.parametrize(("wrong", "words"), WRONG)
def test_wrong_settings_are_found_before_any_work(wrong, words):
    with pytest.raises(ValueError, match=words):
        check_settings(EncodeSettings(**wrong))


OTHERS = {
    "x264": EncodeSettings(options={"tune": "film"}),
    "MPEG-4": EncodeSettings(codec="mpeg4", crf=None, preset=None, options={"b": "400000"}),
    "VP9": EncodeSettings(codec="libvpx-vp9", crf=40, preset=None, options={"deadline": "realtime", "cpu-used": "8"}),
    "AV1": EncodeSettings(codec="libsvtav1", crf=40, preset="12"),
    "HEVC": EncodeSettings(codec="libx265", crf=28, preset="ultrafast", options={"x265-params": "log-level=none"}),
}


@pytest.mark.parametrize("settings", OTHERS.values(), ids=OTHERS)
def test_other_encoders_keep_the_frames_and_the_bytes(tmp_path, settings):
    check_settings(settings)
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(25)], g="7", bf="2")
    clip = cut(path, 5, 20, settings)
    assert numbers(clip) == list(range(5, 20)) and cut(path, 5, 20, settings) == clip
    assert [time for time, _ in decoded(clip)] == [Fraction(k, 10) for k in range(15)]
    frames = [frame.key_frame for _, frame in decoded(clip)]
    assert frames[0] and frames[12], "a keyframe every twelve frames"


@pytest.mark.parametrize("num_frames", [1, 2])
def test_very_short_clips_of_any_encoder_are_the_same_on_any_heap(tmp_path, num_frames):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(8)])
    for settings in OTHERS.values():
        clips = []
        for k in range(20):  # what x265 leaves unset differs with what lay there before
            stirred = [bytes([37 * k % 256]) * size for size in range(100, 100_000, 997)]
            del stirred[::2]
            clips.append(cut(path, 3, 3 + num_frames, settings))
        assert len({clip.content for clip in clips}) == 1, settings.codec
        assert [time for time, _ in decoded(clips[0])] == [Fraction(k, 10) for k in range(num_frames)], settings.codec
        assert numbers(clips[0]) == list(range(3, 3 + num_frames)), settings.codec


def test_a_number_says_how_good_it_is(tmp_path):
    path = write_video(tmp_path / "a.mp4", noise_scene(1, 10))
    sizes = [len(cut(path, 0, 10, EncodeSettings(crf=crf)).content) for crf in (10, 25, 40)]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("fps", "shown"),
    [
        (10, list(range(2, 12))),
        (5, [2, 4, 6, 8, 10]),
        (20, [n for n in range(2, 12) for _ in range(2)]),
        (4, [2, 4, 7, 9]),  # at 0, 0.25, 0.5 and 0.75 s
        (3, [2, 5, 8]),
    ],
)
def test_frames_are_taken_at_an_even_rate(tmp_path, fps, shown):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(25)], g="7", bf="2")
    clip = cut(path, 2, 12, EncodeSettings(fps=fps))
    assert numbers(clip) == shown
    assert [time for time, _ in decoded(clip)] == [Fraction(k, fps) for k in range(len(shown))]
    assert (clip.num_frames, clip.num_source_frames, clip.fps) == (len(shown), 10, fps)


def test_a_variable_rate_becomes_even(tmp_path):
    pts = [0, 40, 200, 210, 500, 900, 933, 1000, 1500, 1517]
    path = write_video(tmp_path / "a.mkv", [numbered_frame(k) for k in range(10)], pts=pts)
    clip = cut(path, 2, 8, EncodeSettings(fps=8.0))  # 200 to 1500 ms, from 0.125 to 0.125 s
    assert numbers(clip) == [2, 3, 3, 4, 4, 4, 6, 7, 7, 7, 7]
    assert clip.num_source_frames == 6 and clip.num_frames == 11
    with av.open(io.BytesIO(clip.content)) as container:
        stream = container.streams.video[0]
        assert stream.duration * stream.time_base == Fraction(11, 8) and stream.average_rate == 8


def test_a_rate_of_television_is_met_exactly(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(25)])
    clip = cut(path, 0, 25, EncodeSettings(fps=23.976))
    assert [time for time, _ in decoded(clip)] == [Fraction(1001 * k, 24000) for k in range(60)]


@pytest.mark.parametrize(
    "name",
    [
        "media__sample_with_chapters.mkv",
        "media__bear-vp9-odd-dimensions.webm",
        "media__iibbibb_editlist_videoonly.mp4",
        "media__roadtrip-vp92-10bit.webm",
        "media__sample_portrait.mp4",
        "sample-videos__people-detection.gif",
        "torchcodec__h265_10bits.mp4",
    ],
)
def test_real_footage_keeps_its_times_and_gives_equal_bytes(media, name):
    path = media / "video" / name
    pts, time_base = times(path)
    first, last = len(pts) // 3, min(len(pts) - 1, len(pts) // 3 + 40)
    clip = cut(path, first, last)
    assert [time for time, _ in decoded(clip)] == [(t - pts[first]) * time_base for t in pts[first:last]]
    assert cut(path, first, last) == clip


def rgb_of(data):
    """(seconds, uint8 RGB) of each frame of a file in memory."""
    with open_video(data) as video:
        return [(frame.pts * video.info.time_base, frame.rgb(*frame.size)) for frame in video.frames()]


def psnr(one, other):
    return 10 * np.log10(255**2 / np.square(one.astype(float) - other).mean())


@pytest.mark.parametrize("fps", [8, 25.0, Fraction(30000, 1001), 30000 / 1001])
def test_pictures_are_encoded_at_their_rate(fps):
    pictures = np.stack(noise_scene(3, 20))
    pictures[:, :24, :32] = (200, 40, 90)
    found = rgb_of(encode_frames(pictures, fps, PLAIN))
    rate = Fraction(fps).limit_denominator(1001)
    assert [time for time, _ in found] == [k / rate for k in range(20)]
    assert min(psnr(picture, wanted) for (_, picture), wanted in zip(found, pictures, strict=True)) > 30
    assert np.abs(found[9][1][8:16, 8:24].mean((0, 1)) - (200, 40, 90)).max() < 4, "colours stay"


def test_pictures_of_odd_sides_lose_a_pixel_and_one_is_a_video():
    pictures = np.full((1, 65, 97, 3), 120, np.uint8)
    ((time, picture),) = rgb_of(encode_frames(pictures[:, :, ::1], 8, PLAIN))
    assert time == 0 and picture.shape == (64, 96, 3)
    assert rgb_of(encode_frames(pictures, 8, EncodeSettings(short_side_px=32)))[0][1].shape == (32, 46, 3)


def test_equal_pictures_give_equal_bytes_whatever_their_layout():
    pictures = np.stack(noise_scene(3, 6))
    turned = np.ascontiguousarray(pictures[:, :, ::-1])[:, :, ::-1]
    assert encode_frames(pictures, 8, PLAIN) == encode_frames(turned, 8, PLAIN)


@pytest.mark.parametrize("shape", [(0, 64, 96, 3), (64, 96, 3), (2, 64, 96, 4), (2, 3, 64, 96)])
def test_what_are_no_pictures_is_refused(shape):
    with pytest.raises(ValueError, match=r"uint8 \(T, H, W, 3\)"):
        encode_frames(np.zeros(shape, np.uint8), 8, PLAIN)
    with pytest.raises(ValueError, match="float32"):
        encode_frames(np.zeros((2, 64, 96, 3), np.float32), 8, PLAIN)


@pytest.mark.parametrize("fps", [0, -1.0, 1e-9])
def test_a_rate_is_above_zero(fps):
    with pytest.raises(ValueError, match="frames a second"):
        encode_frames(np.zeros((2, 64, 96, 3), np.uint8), fps, PLAIN)
