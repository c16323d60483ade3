from fractions import Fraction

import av
import numpy as np
import pytest
from footage import write_video
from test_encode import cut, decoded

from shards.encode import EncodeSettings, cut_clip
from shards.fit import Crop, Fit, packed_size
from shards.frame import Frame, Orientation
from shards.video import open_video


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


@pytest.mark.parametrize(
    ("crop", "size", "box"),
    [
        (Crop(0, 0, 1, 1), (160, 120), (0, 0, 160, 120)),
        (Crop(0, 0.125, 1, 0.875), (160, 120), (0, 16, 160, 104)),  # 15 to 105: inwards to even lines
        (Crop(0.25, 0, 0.75, 1), (161, 121), (42, 0, 120, 120)),
        (Crop(0.5, 0.5, 0.5, 0.5), (160, 120), (80, 60, 82, 62)),
        (Crop(1, 1, 1, 1), (160, 120), (158, 118, 160, 120)),
        (Crop(-1, -1, 0, 0), (160, 120), (0, 0, 2, 2)),
    ],
)
def test_a_box_is_even_and_lies_inside(crop, size, box):
    assert crop.box(*size) == box


def test_half_a_line_of_rounding_costs_no_line():
    thirds = np.float32(1 / 3)
    assert Crop(float(thirds), 0, 1 - float(thirds), 1).box(360, 120) == (120, 0, 240, 120)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_what_is_kept_is_found_in_the_stored_picture(turn, mirrored):
    displayed = np.arange(40 * 60).reshape(40, 60)
    crop = Crop(0.1, 0.2, 0.5, 0.9)
    lies = Orientation(mirrored, turn)
    stored = np.rot90(displayed, turn // 90)
    stored = stored[:, ::-1] if mirrored else stored
    left, top, right, bottom = crop.stored(lies)
    height, width = stored.shape
    rows, columns = (slice(round(a * n), round(b * n)) for a, b, n in ((top, bottom, height), (left, right, width)))
    frame = Frame(0, av.VideoFrame(2, 2, "gray"), Fraction(1))
    frame.__dict__["orientation"] = lies
    assert np.array_equal(frame.upright(stored[rows, columns]), displayed[8:36, 6:30])


def letterboxed(size, bars):
    """Blue above, red below, black bars of so many lines."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    middle = size[1] // 2
    picture[bars:middle, :, 2], picture[middle : size[1] - bars, :, 0] = 220, 220
    return picture


@pytest.mark.parametrize("turn", [0, 90])
@pytest.mark.parametrize("mirrored", [False, True])
def test_bars_are_cut_off_before_scaling(tmp_path, turn, mirrored):
    stored = np.rot90(letterboxed((96, 128), 32), turn // 90)
    stored = np.ascontiguousarray(stored[:, ::-1] if mirrored else stored)
    cos, sin = ((1, 0), (0, 1))[turn // 90]
    signs = (-cos, -sin, 0, -sin, cos, 0) if mirrored else (cos, sin, 0, -sin, cos, 0)
    matrix = [number * 2**16 for number in signs] + [0, 0, 2**30]
    path = write_video(tmp_path / "a.mp4", [stored] * 4, matrix=matrix)
    with open_video(str(path)) as video:
        pts = [frame.pts for frame in video.frames()]
    settings = EncodeSettings(short_side_px=32)
    clip = cut_clip(str(path), 0, 2 * pts[-1] - pts[-2], settings, crop=Crop(0, 0.25, 1, 0.75))
    assert (clip.width, clip.height) == (48, 32)
    with open_video(clip.content) as video:
        (first, *_) = (frame.rgb(48, 32).astype(int) for frame in video.frames())
    assert first[:14, :, 2].min() > 150 and first[18:, :, 0].min() > 150 and first[0].sum(-1).min() > 150


def test_pixels_that_are_not_square_are_cropped_in_shares(tmp_path):
    raw = av.VideoFrame.from_ndarray(np.zeros((144, 176, 3), np.uint8), format="rgb24")
    assert Fit(Frame(0, raw, Fraction(16, 11))).size == (256, 144)
    assert Fit(Frame(0, raw, Fraction(16, 11)), crop=Crop(0.25, 0, 0.75, 1)).size == (128, 144)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv422p10le", "gray", "rgb24", "nv12"])
def test_what_is_kept_of_any_pixel_format_is_the_same_picture(pixel_format):
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 256, (12, 16, 1), np.uint8), np.ones((8, 8, 3), np.uint8))  # 96 x 128, gray
    raw = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)
    frame = Frame(0, raw, Fraction(1))
    kept = Fit(frame, crop=Crop(0.25, 0.25, 1, 0.75))(frame)
    whole = Fit(frame)(frame)
    assert (kept.width, kept.height) == (96, 48)
    assert np.array_equal(kept.to_ndarray(format="gray"), whole.to_ndarray(format="gray")[24:72, 32:])


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
