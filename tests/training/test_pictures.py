"""Videos as people look at them: where each frame lies on the sheet, how long it lasts, what decodes back."""

import io

import numpy as np
import pytest
from PIL import Image

from shards.video import open_video
from training.pictures import (
    contact_sheet,
    gif,
    overview,
    read_mp4,
    write_contact_sheet,
    write_gif,
    write_mp4,
    write_overview,
)

COLOURS = np.array(
    [[200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0], [0, 200, 200], [200, 0, 200], [90, 90, 90], [40, 0, 0]],
    np.uint8,
)
MARGIN, CAPTION = 4, 20


def frames_of(num, height=64, width=96):
    return np.repeat(np.repeat(COLOURS[:num, None, None], height, 1), width, 2)


def tile(sheet, number, height, width, columns=4):
    top = MARGIN + CAPTION + number // columns * (height + MARGIN)
    left = MARGIN + number % columns * (width + MARGIN)
    return np.asarray(sheet)[top : top + height, left : left + width]


@pytest.mark.parametrize(("num", "size"), [(1, (200, 156)), (4, (788, 156)), (5, (788, 288)), (8, (788, 288))])
def test_small_frames_are_enlarged_in_rows_of_four(num, size):
    sheet = contact_sheet(frames_of(num), "")
    assert sheet.size == size and sheet.mode == "RGB"
    for number in range(num):
        assert (tile(sheet, number, 128, 192) == COLOURS[number]).all()
    white = (np.asarray(sheet) == 255).all(2).sum()
    assert white == size[0] * size[1] - num * 128 * 192  # margins and empty places


def test_frames_are_enlarged_by_whole_factors_pixel_by_pixel():
    frames = np.random.default_rng(0).integers(0, 256, (2, 50, 30, 3), np.uint8)
    sheet = contact_sheet(frames, "")
    for number, frame in enumerate(frames):
        assert np.array_equal(tile(sheet, number, 150, 90), frame.repeat(3, 0).repeat(3, 1))


@pytest.mark.parametrize("height", [128, 200])
def test_frames_that_are_high_enough_keep_their_size(height):
    frames = np.random.default_rng(0).integers(0, 256, (3, height, 60, 3), np.uint8)
    sheet = contact_sheet(frames, "")
    assert sheet.size == (3 * 64 + 4, height + 8 + 20)
    assert all(np.array_equal(tile(sheet, number, height, 60), frame) for number, frame in enumerate(frames))


@pytest.mark.parametrize("caption", ["a red circle", "красный круг 赤い円", "a very long caption " * 30])
def test_the_caption_stands_above_the_frames(tmp_path, caption):
    path = tmp_path / "new" / "sheet.png"
    write_contact_sheet(path, frames_of(4), caption)
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet)
        assert sheet.format == "PNG" and (tile(sheet, 3, 128, 192) == COLOURS[3]).all()
    assert pixels[: MARGIN + CAPTION].min() < 64 and [entry.name for entry in path.parent.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize("fps", [6, 8.0, 12, 24])
def test_a_gif_has_all_frames_for_their_time_and_repeats(fps):
    frames = frames_of(8, 32, 48)
    with Image.open(io.BytesIO(gif(frames, fps))) as animation:
        assert animation.format == "GIF" and animation.n_frames == 8 and animation.size == (48, 32)
        assert animation.info["loop"] == 0
        for number in range(8):
            animation.seek(number)
            assert abs(animation.info["duration"] - 1000 / fps) < 10  # the format counts hundredths of a second
            shown = np.asarray(animation.convert("RGB")).astype(int)
            assert np.abs(shown - COLOURS[number]).max() <= 8


def test_a_gif_of_one_frame():
    with Image.open(io.BytesIO(gif(frames_of(1), 8))) as picture:
        assert picture.n_frames == 1 and picture.size == (96, 64)


@pytest.mark.parametrize(("num", "fps"), [(8, 8.0), (5, 24.0), (1, 12.0)])
def test_an_mp4_decodes_to_its_frames_at_its_rate(tmp_path, num, fps):
    path = tmp_path / "new" / "a.mp4"
    write_mp4(path, frames_of(num), fps)
    with open_video(str(path)) as video:
        shown = [(float(f.pts * video.info.time_base), f.rgb(96, 64).astype(int)) for f in video.frames()]
        assert video.info.codec == "h264" and "mp4" in video.info.container
        assert video.info.frame_rate == fps
    assert [time for time, _ in shown] == pytest.approx([number / fps for number in range(num)])
    for (_, picture), colour in zip(shown, COLOURS, strict=False):
        assert np.abs(picture - colour).mean() < 6
    assert [entry.name for entry in path.parent.iterdir()] == ["a.mp4"]


def test_frames_come_back_from_an_mp4(tmp_path):
    write_mp4(tmp_path / "a.mp4", frames_of(5), 8)
    back = read_mp4(tmp_path / "a.mp4")
    assert back.shape == (5, 64, 96, 3) and back.dtype == np.uint8
    assert np.abs(back.astype(int) - frames_of(5)).mean() < 6


def test_a_written_gif_is_that_of_memory(tmp_path):
    write_gif(tmp_path / "new" / "a.gif", frames_of(3), 8)
    assert (tmp_path / "new" / "a.gif").read_bytes() == gif(frames_of(3), 8)
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_an_overview_has_a_row_a_video_of_four_frames_from_the_first_to_the_last():
    sheet = overview([("a", frames_of(8)), ("b", frames_of(2)), ("c", frames_of(4)[::-1])])
    height = MARGIN + CAPTION + 128 + MARGIN
    assert sheet.size == (4 * 196 + 4, 3 * height)
    for top, shown in enumerate([(0, 2, 5, 7), (0, 1), (3, 2, 1, 0)]):
        row = sheet.crop((0, top * height, sheet.width, (top + 1) * height))
        for number, colour in enumerate(shown):
            assert (tile(row, number, 128, 192) == COLOURS[colour]).all()
        for number in range(len(shown), 4):
            assert (tile(row, number, 128, 192) == 255).all()


def test_an_overview_of_many_videos_shows_the_first_hundred(tmp_path):
    read = []
    videos = (read.append(number) or ("a", frames_of(1, 128, 16)) for number in range(150))
    write_overview(tmp_path / "all.png", videos)
    with Image.open(tmp_path / "all.png") as sheet:
        assert sheet.height == 100 * (128 + 2 * MARGIN + CAPTION) and len(read) == 100
