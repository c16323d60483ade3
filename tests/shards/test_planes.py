from fractions import Fraction

import av
import numpy as np
import pytest

from shards.planes import is_full_range, luma, planar, planes, rgb_matrix


def picture(pixel_format: str, width: int = 34, height: int = 18) -> av.VideoFrame:
    """A frame of any planar format made of a horizontal ramp of grey."""
    ramp = np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))
    rgb = np.repeat(ramp[..., None], 3, axis=2)
    return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format, threads=1)


@pytest.mark.parametrize(
    ("pixel_format", "bits", "chroma"),
    [
        ("yuv420p", 8, (9, 17)),
        ("yuvj420p", 8, (9, 17)),
        ("yuva420p", 8, (9, 17)),
        ("yuv422p", 8, (18, 17)),
        ("yuv444p", 8, (18, 34)),
        ("yuv420p10le", 10, (9, 17)),
        ("yuv422p12le", 12, (18, 17)),
    ],
)
def test_planes_have_the_shapes_and_depth_of_the_format(pixel_format, bits, chroma):
    found = planes(picture(pixel_format))
    assert found[1] == bits
    assert [plane.shape for plane in found[0]] == [(18, 34), chroma, chroma]
    assert found[0][0].max() < 2**bits and found[0][0].max() > 2 ** (bits - 1)


@pytest.mark.parametrize("pixel_format", ["rgb24", "bgra", "nv12", "yuyv422"])
def test_formats_without_planes_of_luma_and_chroma_get_them(pixel_format):
    raw = planar(picture(pixel_format))
    plain = luma(picture("yuv444p"))
    assert np.abs(luma(raw).astype(int) - plain).max() <= 2


def test_a_planar_frame_is_not_converted():
    raw = picture("yuv420p")
    assert planar(raw) is raw


def test_grey_has_luma_alone():
    assert len(planes(picture("gray"))[0]) == 1 and is_full_range(picture("gray"))


def test_ten_bits_of_luma_become_eight():
    deep, plain = luma(picture("yuv420p10le")), luma(picture("yuv420p"))
    assert deep.dtype == np.uint8
    assert np.abs(deep.astype(int) - plain).max() <= 1


@pytest.mark.parametrize(
    ("colorspace", "color_range", "yuv", "rgb"),
    [
        (1, 1, (16, 128, 128), (0, 0, 0)),  # BT.709, limited
        (1, 1, (235, 128, 128), (255, 255, 255)),
        (1, 1, (63, 102, 240), (255, 0, 0)),  # ITU-R BT.709 table of primaries
        (5, 1, (81, 90, 240), (255, 0, 0)),  # BT.601
        (5, 1, (145, 54, 34), (0, 255, 0)),
        (9, 1, (74, 97, 240), (255, 0, 0)),  # BT.2020
        (5, 2, (76, 85, 255), (255, 0, 0)),  # full range
    ],
)
def test_primaries_come_out_of_their_codes(colorspace, color_range, yuv, rgb):
    raw = picture("yuv420p")
    raw.colorspace, raw.color_range = colorspace, color_range
    assert rgb_matrix(raw) @ [*yuv, 1] == pytest.approx(rgb, abs=2.5)


def test_a_view_is_no_copy():
    raw = picture("yuv420p")
    raw.time_base, raw.pts = Fraction(1, 25), 0
    (plane, *_), _ = planes(raw)
    assert not plane.flags.owndata
