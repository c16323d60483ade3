import gc
from fractions import Fraction
from math import cos, radians, sin

import av
import numpy as np
import pytest
from footage import write_video

from shards.frame import Frame, Orientation, orientation
from shards.video import open_video


def display_matrix(mirrored: bool, turn_deg: float, scale: float = 1.0) -> list[int]:
    """Mirrors left and right, then turns clockwise; y points downwards."""
    c, s = cos(radians(turn_deg)), sin(radians(turn_deg))
    first = -1 if mirrored else 1
    numbers = [first * c, first * s, 0, -s, c, 0]
    return [round(number * scale * 2**16) for number in numbers] + [0, 0, 2**30]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("off_deg", [-20, 0, 30])
@pytest.mark.parametrize("scale", [0.5, 1, 3])
def test_a_display_matrix_is_a_mirror_and_a_quarter_turn(mirrored, turn, off_deg, scale):
    assert orientation(display_matrix(mirrored, turn + off_deg, scale)) == Orientation(mirrored, turn)


@pytest.mark.parametrize("matrix", [[0] * 9, [65536, 0, 0, 65536, 0, 0, 0, 0, 2**30], [-(2**31)] * 9])
def test_a_matrix_that_flattens_the_picture_is_passed_over(matrix):
    assert orientation(matrix) == Orientation()


def corners() -> np.ndarray:
    """A picture that no mirror and no turn takes to itself: uint8 (64, 96, 3)."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:24, :32], picture[:24, 64:], picture[40:, :32] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    return picture


def stored(upright: np.ndarray, mirrored: bool, turn_deg: int) -> np.ndarray:
    """What lies in a file whose display matrix shows `upright`."""
    turned = np.rot90(upright, turn_deg // 90)  # counterclockwise
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_the_picture_is_upright_whatever_the_flags(tmp_path, mirrored, turn):
    pictures = [stored(corners(), mirrored, turn)] * 3
    path = write_video(tmp_path / "a.mp4", pictures, matrix=display_matrix(mirrored, turn))
    with open_video(str(path)) as video:
        frame = next(video.frames())
        assert frame.orientation == Orientation(mirrored, turn) and frame.size == (96, 64)
        assert np.abs(frame.rgb(96, 64).astype(int) - corners()).mean() < 12


def test_a_frame_that_was_looked_at_goes_when_it_is_let_go(tmp_path):
    """Not when garbage is collected: by then hundreds of megabytes would lie there."""

    def num_frames() -> int:
        return sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())

    path = write_video(tmp_path / "a.mp4", [corners()] * 4)
    gc.disable()
    try:
        with open_video(str(path)) as video:
            counts = [(frame.size, num_frames())[1] for frame in video.frames()]
    finally:
        gc.enable()
    assert max(counts) - counts[0] <= 1


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_flags_as_libavs_own_functions_write_them(tmp_path, turn):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_rotation(-turn, hflip=True)  # turns first, then mirrors: as mirroring and turning back
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    with open_video(str(path)) as video:
        assert next(video.frames()).orientation == Orientation(True, -turn % 360)


@pytest.mark.parametrize(("transfer", "is_hdr"), [(1, False), (2, False), (14, False), (16, True), (18, True)])
def test_hdr_is_told_by_the_transfer_curve(transfer, is_hdr):
    raw = av.VideoFrame(64, 48, "yuv420p10le")
    raw.color_trc = transfer
    assert Frame(0, raw, Fraction(1)).is_hdr == is_hdr


@pytest.mark.parametrize(("pixel_format", "has_alpha"), [("yuv420p", False), ("yuva420p", True), ("rgba", True)])
def test_alpha_is_told_by_the_pixel_format(pixel_format, has_alpha):
    assert Frame(0, av.VideoFrame(64, 48, pixel_format), Fraction(1)).has_alpha == has_alpha
