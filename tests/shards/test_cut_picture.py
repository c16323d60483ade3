import io
from fractions import Fraction

import numpy as np
import pytest
from footage import noise_scene, number_of, numbered_frame, write_video
from PIL import Image
from test_frame_fit import write_colours

from shards.cut_picture import PictureSettings, check_picture, cut_picture, encode_picture
from shards.encode import EncodeSettings, cut_clip
from shards.fit import Crop, Fit
from shards.frame import Frame
from shards.mp4 import PackedClip
from shards.video import VideoError, open_video

UNEVEN = [0, 40, 90, 200, 230, 300, 360, 480, 500, 620, 700, 760, 850]


def times(path):
    with open_video(str(path)) as video:
        return [frame.pts for frame in video.frames()]


def pixels(clip):
    return np.asarray(Image.open(io.BytesIO(clip.content)).convert("RGB")).astype(int)


@pytest.mark.parametrize("extension", ["jpg", "webp"])
@pytest.mark.parametrize(("name", "options"), [("a.mp4", {"g": "5", "bf": "3"}), ("a.ts", {"g": "5", "bf": "0"})])
def test_it_is_exactly_the_frame_of_that_time(tmp_path, extension, name, options):
    path = write_video(tmp_path / name, [numbered_frame(k) for k in range(13)], **options)
    ticks = times(path)
    for number, pts in enumerate(ticks):
        clip = cut_picture(str(path), ticks[0], ticks[-1] + 1, pts, PictureSettings(extension))
        assert number_of(pixels(clip)) == number
        assert clip == PackedClip(clip.content, None, 1, 96, 64, None, f"image: frame at {pts}")
        assert Image.open(io.BytesIO(clip.content)).format == {"jpg": "JPEG", "webp": "WEBP"}[extension]


def test_at_a_varying_rate_too_and_never_a_neighbour(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(13)], pts=UNEVEN, g="5", bf="3")
    ticks = times(path)
    for number, pts in enumerate(ticks):
        clip = cut_picture(str(path), ticks[0], ticks[-1] + 1, pts, PictureSettings())
        assert number_of(pixels(clip)) == number
    for pts in (ticks[3] - 1, ticks[3] + 1, ticks[-1] + 1000):
        with pytest.raises(VideoError, match=f"no frame at {pts} ticks of 1/\\d+ s, where there was one"):
            cut_picture(str(path), ticks[0], ticks[-1] + 1, pts, PictureSettings())


def test_without_a_time_it_is_what_is_shown_in_the_middle(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(13)], pts=UNEVEN)
    ticks = times(path)
    per_ms = (ticks[3] - ticks[0]) / 200

    def middle(first, last):
        return cut_picture(str(path), ticks[first], ticks[last], None, PictureSettings())

    assert number_of(pixels(middle(0, 12))) == 6, "425 of 850 ms: the frame from 360 to 480"
    assert number_of(pixels(middle(2, 4))) == 2, "160 of 90 to 230 ms: still the frame from 90 to 200"
    assert number_of(pixels(middle(5, 6))) == 5, "the only one"
    assert middle(0, 12).made_by == f"image: frame at {ticks[0] + round(360 * per_ms)}"
    with pytest.raises(VideoError, match="no frame in the span"):
        cut_picture(str(path), ticks[2] + 1, ticks[3], None, PictureSettings())


TURNS = {
    "upright": {},
    "turned": {"rotation_deg": 90},
    "upside down": {"rotation_deg": 180},
    "mirrored": {"matrix": [-(2**16), 0, 0, 0, 2**16, 0, 0, 0, 2**30]},
}
CROP = Crop(0.25, 0, 0.75, 1)
FITS = [
    ({}, None),
    ({"short_side_px": 32}, None),
    ({"size": (40, 60)}, None),
    ({"short_side_px": 40}, CROP),
    ({}, CROP),
]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(("fit", "crop"), FITS)
def test_it_is_fitted_as_a_video_is(tmp_path, turn, fit, crop):
    path = write_video(tmp_path / "a.mp4", noise_scene(1, 3, size=(160, 120)), **TURNS[turn])
    pts = times(path)[1]
    clip = cut_picture(str(path), pts, pts + 1, pts, PictureSettings(quality=100, **fit), crop=crop)
    video = cut_clip(str(path), pts, pts + 1, EncodeSettings(crf=0, **fit), crop=crop)
    with open_video(video.content) as opened:
        (wanted,) = (frame.rgb(*frame.size) for frame in opened.frames())
    assert (clip.width, clip.height) == (video.width, video.height) == wanted.shape[1::-1]
    assert np.abs(pixels(clip) - wanted).mean() < 1 and wanted.std() > 20


def test_corners_are_where_they_belong(tmp_path):
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:32, :48, 0], upright[:32, 48:, 1], upright[32:, :48, 2] = 220, 220, 220  # red, green; blue, black
    path = write_video(tmp_path / "a.mp4", [np.ascontiguousarray(np.rot90(upright))] * 3, rotation_deg=90)
    picture = pixels(cut_picture(str(path), 0, 10**6, None, PictureSettings()))
    assert picture.shape == (64, 96, 3)
    corners = [picture[16, 24], picture[16, 72], picture[48, 24], picture[48, 72]]
    assert [int(c.argmax()) if c.max() > 150 else None for c in corners] == [0, 1, 2, None]


@pytest.mark.parametrize("space", [1, 5])
def test_colours_are_those_of_the_source_whatever_its_matrix(tmp_path, space):
    path = write_colours(tmp_path / "a.mkv", "libx264", "yuv420p", (96, 64), colorspace=space)
    with open_video(str(path)) as video:
        (wanted, *_) = (frame.rgb(96, 64).astype(int) for frame in video.frames())
    assert np.abs(pixels(cut_picture(str(path), 0, 10**6, None, PictureSettings())) - wanted).mean() < 2


def test_odd_sides_become_even_and_pixels_square(tmp_path):
    path = write_colours(tmp_path / "a.avi", "mpeg4", "yuv420p", (97, 65), sample_aspect_ratio=Fraction(2))
    clip = cut_picture(str(path), 0, 10**6, None, PictureSettings())
    assert (clip.width, clip.height) == (194, 64) == pixels(clip).shape[1::-1]


@pytest.mark.parametrize("extension", ["jpg", "webp"])
def test_equal_settings_give_equal_bytes_without_notes(tmp_path, extension):
    path = write_video(tmp_path / "a.mp4", noise_scene(2, 3))
    clips = [cut_picture(str(path), 0, 10**6, None, PictureSettings(extension, q)) for q in (95, 95, 60)]
    assert clips[0] == clips[1] and len(clips[2].content) < 0.7 * len(clips[0].content)
    picture = Image.open(io.BytesIO(clips[0].content))
    assert not picture.getexif() and set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"} | {
        "loop", "background", "duration", "timestamp",  # what Pillow says of any WebP
    }  # fmt: skip
    if extension == "jpg":
        assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3, "colour at full size"


def test_what_a_format_cannot_hold_is_the_fault_of_the_video(tmp_path):
    wide = np.zeros((2, 16400, 3), np.uint8)
    assert encode_picture(wide, PictureSettings("jpg"))
    with pytest.raises(ValueError, match=r"16400x2 pixels cannot be encoded as webp: .*16383"):
        encode_picture(wide, PictureSettings("webp"))
    path = write_video(tmp_path / "a.mkv", [wide] * 2, codec="ffv1")
    with pytest.raises(VideoError, match="cannot be encoded as webp"):
        cut_picture(str(path), 0, 10**6, None, PictureSettings("webp"))


def test_files_that_cannot_be_read_are_told(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(25)], g="9", bf="2")
    ticks = times(path)
    with pytest.raises(VideoError, match="frame too large: 96x64 pixels"):
        cut_picture(str(path), 0, 10**6, ticks[2], PictureSettings(), max_pixels=6000)
    whole = path.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(write_video(tmp_path / "b.mkv", [numbered_frame(3)] * 25).read_bytes()[:1500])
    with pytest.raises(VideoError, match="no frame at"):
        cut_picture(str(tmp_path / "cut.mkv"), 0, 10**6, 2400, PictureSettings())
    (tmp_path / "junk.mp4").write_bytes(whole[:300])
    with pytest.raises(VideoError):
        cut_picture(str(tmp_path / "junk.mp4"), 0, 10**6, 0, PictureSettings())

    class Damaged(Frame):
        raw = type("Raw", (), {"is_corrupt": True})()

    monkeypatch.setattr("shards.cut_picture._at", lambda *_: object.__new__(Damaged))
    monkeypatch.setattr(Damaged, "pts", 7, raising=False)
    with pytest.raises(VideoError, match="the frame at 7 is damaged"):
        cut_picture(str(path), 0, 10**6, 7, PictureSettings())


def test_settings_that_cannot_work_are_told_before_work():
    check_picture(PictureSettings("webp", 1, 2))
    with pytest.raises(ValueError, match="short_side_px: 1 is not at least 2"):
        check_picture(PictureSettings(short_side_px=1))
    with pytest.raises(ValueError, match="cannot be encoded as tiff"):
        check_picture(PictureSettings("tiff"))


REAL = [
    "decord__unordered.mov",
    "media__sample_rotate_and_reflect.mp4",
    "media__edit_list_positive_shift.mp4",
    "media__iibbibb_editlist_videoonly.mp4",
    "media__sd-hls0000000000.ts",
    "media__sample_h265.ts",
    "media__bear-vp9-odd-dimensions.webm",
    "media__sample_av1.mp4",
]


@pytest.mark.parametrize("name", REAL)
def test_of_real_footage_too_it_is_the_frame_that_was_seen_in_order(media, monkeypatch, name):
    path, found = str(media / "video" / name), []
    monkeypatch.setattr("shards.cut_picture.encode_picture", lambda picture, _: found.append(picture) or b"")
    with open_video(path) as video:
        in_order = [(frame.pts, shown_at(frame)) for number, frame in enumerate(video.frames()) if number % 9 == 1]
    for pts, _ in in_order[:8]:
        cut_picture(path, pts, pts + 1, pts, PictureSettings(short_side_px=64))
    assert found and all(np.array_equal(a, b) for a, (_, b) in zip(found, in_order, strict=False))


def shown_at(frame):
    fit = Fit(frame, 64)
    return Frame(frame.pts, fit(frame), Fraction(1)).rgb(*fit.size)
