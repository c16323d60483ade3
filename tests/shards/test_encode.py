import io
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from footage import noise_scene, number_of, numbered_frame, write_video

from shards.encode import EncodeSettings, check_settings, cut_clip, encode_frames, packed_size
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
    with av.open(io.BytesIO(clip.video)) as container:
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


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_rotation_is_baked_in(tmp_path, turn):
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:32, :48, 0], upright[:32, 48:, 1], upright[32:, :48, 2] = 220, 220, 220  # red, green; blue, black
    stored = np.ascontiguousarray(np.rot90(upright, turn // 90))  # turned counterclockwise, flagged to turn back
    path = write_video(tmp_path / "a.mp4", [stored] * 4, rotation_deg=turn)
    clip = cut(path, 0, 4)
    frame = decoded(clip)[0][1]
    assert (clip.width, clip.height, frame.width, frame.height, frame.rotation) == (96, 64, 96, 64, 0)
    picture = frame.to_ndarray(format="rgb24").astype(int)
    corners = [picture[8:24, 8:40], picture[8:24, 56:88], picture[40:56, 8:40], picture[40:56, 56:88]]
    means = [corner.mean(axis=(0, 1)) for corner in corners]
    assert [int(mean.argmax()) if mean.max() > 150 else None for mean in means] == [0, 1, 2, None]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_mirror_is_baked_in(tmp_path, turn):
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:32, :48, 0], upright[:32, 48:, 1], upright[32:, :48, 2] = 220, 220, 220  # red, green; blue, black
    stored = np.ascontiguousarray(np.rot90(upright, turn // 90)[:, ::-1])
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[turn // 90]
    matrix = [number * 2**16 for number in (-cos, -sin, 0, -sin, cos, 0)] + [0, 0, 2**30]
    path = write_video(tmp_path / "a.mp4", [stored] * 4, matrix=matrix)
    clip = cut(path, 0, 4)
    picture = decoded(clip)[0][1].to_ndarray(format="rgb24").astype(int)
    assert picture.shape == (64, 96, 3)
    corners = [picture[8:24, 8:40], picture[8:24, 56:88], picture[40:56, 8:40], picture[40:56, 56:88]]
    means = [corner.mean(axis=(0, 1)) for corner in corners]
    assert [int(mean.argmax()) if mean.max() > 150 else None for mean in means] == [0, 1, 2, None]


def write_colours(path, codec, pixel_format, size, **tags):
    """Three frames, left (200, 60, 40), right (30, 90, 180), in any pixel format."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[:, : size[0] // 2], picture[:, size[0] // 2 :] = (200, 60, 40), (30, 90, 180)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        for key, value in tags.items():
            setattr(stream.codec_context, key, value)
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format=pixel_format, dst_color_range=tags.get("color_range"))
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


SOURCES = {
    "gif, odd size": ("a.gif", "gif", "rgb8", (97, 65), {}),
    "10 bit": ("a.mp4", "libx264", "yuv420p10le", (96, 64), {}),
    "alpha": ("a.mov", "png", "rgba", (97, 64), {}),
    "full range": ("a.mkv", "mjpeg", "yuvj420p", (96, 65), {"color_range": 2}),
    "odd size": ("a.avi", "mpeg4", "yuv420p", (97, 65), {}),
    "full chroma": ("a.mkv", "ffv1", "yuv444p", (97, 65), {}),
    "plain": ("a.mp4", "libx264", "yuv420p", (96, 64), {}),
}


@pytest.mark.parametrize("source", SOURCES)
def test_any_pixel_format_ends_as_playable_video_of_the_same_colours(tmp_path, source):
    name, codec, pixel_format, size, tags = SOURCES[source]
    clip = cut(write_colours(tmp_path / name, codec, pixel_format, size, **tags), 0, 3)
    frame = decoded(clip)[1][1]
    assert (frame.format.name, frame.width, frame.height) == ("yuv420p", 96, 64)
    assert frame.color_range in (0, 1), "limited, said or by default, whatever the source was"
    picture = frame.to_ndarray(format="rgb24").astype(int)
    tolerance = 24 if pixel_format == "rgb8" else 6  # rgb8 knows 8 reds and 4 blues
    assert np.abs(picture[8:56, 8:40].mean(axis=(0, 1)) - (200, 60, 40)).max() < tolerance
    assert np.abs(picture[8:56, 56:88].mean(axis=(0, 1)) - (30, 90, 180)).max() < tolerance


def test_equal_input_gives_equal_bytes(tmp_path):
    path = write_video(tmp_path / "a.mp4", noise_scene(3, 30, shift_px=0.7, size=(200, 200)), bf="2")
    clips = []
    for size in (1, 400_000, 90_000, 1_700_000):  # other memory each time: an encoder must not read what is no picture
        filler = np.random.default_rng(size).integers(0, 255, size, np.uint8)
        clips.append(cut(path, 4, 26))
        del filler
    assert len({clip.video for clip in clips}) == 1
    assert b"Lavf" not in clips[0].video, "no version of the muxer in the bytes"


def test_the_index_of_the_mp4_stands_in_front(tmp_path):
    video = cut(write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(5)]), 0, 5).video
    assert 0 < video.find(b"moov") < video.find(b"mdat")


@pytest.mark.parametrize(
    ("size", "short_side", "wanted"),
    [
        ((160, 120), 60, (80, 60)),
        ((120, 160), 60, (60, 80)),
        ((160, 120), 500, (160, 120)),
        ((161, 121), None, (160, 120)),
        ((1920, 1080), 360, (640, 360)),
        ((1, 1), None, (2, 2)),
        ((854, 480), 240, (426, 240)),
    ],
)
def test_packed_sizes_are_even_and_never_larger(size, short_side, wanted):
    assert packed_size(size, short_side) == wanted


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


@pytest.mark.parametrize("wrong", [{"codec": "libx2646"}, {"codec": "rawvideo"}, {"preset": "quick"}])
def test_wrong_settings_are_found_before_any_work(wrong):
    check_settings(PLAIN)
    check_settings(EncodeSettings(codec="mpeg4"))
    with pytest.raises(ValueError, match=next(iter(wrong.values()))):
        check_settings(EncodeSettings(**wrong))


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
