from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from footage import noise_scene, small

from curation.small_frame import shrink, small_frame
from shards.video import Frame


def frame(picture: np.ndarray, pixel_format: str) -> Frame:
    raw = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format, threads=1)
    return Frame(0, raw, Fraction(1))


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv444p", "yuv420p10le", "rgb24", "nv12"])
@pytest.mark.parametrize("size", [(48, 27), (320, 180), (854, 480), (481, 271), (1280, 720), (200, 640)])
def test_a_thumbnail_is_the_mean_of_the_area(pixel_format, size):
    picture = noise_scene(3, 1, size=size)[0]
    wanted = cv2.resize(picture, (48, 27), interpolation=cv2.INTER_AREA)
    got = small_frame(frame(picture, pixel_format)).rgb
    assert got.shape == (27, 48, 3) and got.dtype == np.uint8
    assert np.abs(got.astype(int) - wanted).mean() < 5
    assert (got.astype(float) - wanted).mean((0, 1)) == pytest.approx(0, abs=2)


@pytest.mark.parametrize("grey", range(0, 256, 5))
def test_grey_stays_grey(grey):
    """A tint of one level would make the hue of grey frames jump, which detectors take for a cut."""
    raw = av.VideoFrame.from_ndarray(np.full((96, 64), 16 + grey * 219 // 255, np.uint8), format="yuv420p")
    raw.planes[1].update(np.full(raw.planes[1].buffer_size, 128, np.uint8).tobytes())
    raw.planes[2].update(np.full(raw.planes[2].buffer_size, 128, np.uint8).tobytes())
    rgb = small_frame(Frame(0, raw, Fraction(1))).rgb
    assert (rgb == rgb[..., :1]).all()


def test_frames_smaller_than_a_thumbnail_are_enlarged():
    assert (small(0, np.full((1, 1, 3), 77, np.uint8)).rgb == 77).all()


def test_more_detail_is_there_when_asked_for():
    picture = noise_scene(5, 1, size=(320, 180))[0]
    bgr = small(0, picture).bgr
    wanted = cv2.resize(picture, (160, 90), interpolation=cv2.INTER_AREA)[..., ::-1]
    assert bgr.shape == (90, 160, 3) and np.abs(bgr.astype(int) - wanted).mean() < 2


def test_the_order_of_colours_is_as_asked():
    picture = np.zeros((54, 96, 3), np.uint8)
    picture[..., 0] = 200
    for pixel_format in ("yuv420p", "rgb24"):
        red_first, blue_first = (shrink(frame(picture, pixel_format), (48, 27), order) for order in ("rgb24", "bgr24"))
        assert red_first[..., 0].mean() > 190 and (blue_first == red_first[..., ::-1]).all()
