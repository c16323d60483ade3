"""Optical flow is told at the size that was asked for, whichever way frames are brought to it."""

import numpy as np
import pytest
from moving import sliding

from training.metrics.flow import optical_flow


@pytest.mark.parametrize(
    ("size", "short_side", "found"),
    [((128, 192), 64, (64, 96)), ((96, 64), 128, (192, 128)), ((90, 121), 45, (45, 60))],
)
def test_the_short_side_is_what_was_asked_for(size, short_side, found):
    before, after = sliding((0.0, 0.0), 2, size)
    flow = optical_flow(before, after, short_side)
    assert flow.shape == (*found, 2) and flow.dtype == np.float32


@pytest.mark.parametrize(("way", "seen"), [((6.0, 0.0), (3, 0)), ((0.0, -4.0), (0, -2)), ((-6.0, 2.0), (-3, 1))])
def test_motion_is_in_pixels_of_the_smaller_frames_right_and_down(way, seen):
    before, after = sliding(way, 2, (256, 320))
    assert np.median(optical_flow(before, after, 128), axis=(0, 1)) == pytest.approx(seen, abs=0.2)


def test_each_colour_tells_of_motion():
    """Frames that differ in one channel alone still move."""
    for channel in range(3):
        frames = sliding((4.0, 0.0), 2, (128, 160))
        frames[..., [other for other in range(3) if other != channel]] = 128
        found = np.median(optical_flow(frames[0], frames[1], 128), axis=(0, 1))
        assert found == pytest.approx((4, 0), abs=0.5)


def test_frames_that_are_alike_do_not_move():
    still = sliding((0.0, 0.0), 2, (128, 160))
    assert np.abs(optical_flow(still[0], still[1], 128)).max() < 0.1
