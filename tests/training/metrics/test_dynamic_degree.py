"""Dynamic degree on textures that slide by known amounts."""

import numpy as np
import pytest
import torch
from moving import sliding

from training.metrics.dynamic_degree import DynamicDegree, fastest, moves
from training.metrics.metric import Videos

SIZE = (64, 96)  # a quarter of 256: 1.5 px a frame is VBench's line


def test_the_fastest_pixels_are_those_of_the_texture():
    before, after = sliding((2.0, 0.0), 2)
    assert fastest(before, after) == pytest.approx(8, abs=1)


@pytest.mark.parametrize(("px", "fps", "moving"), [(1.0, 8, False), (2.5, 8, True), (2.5, 4, False), (4.5, 4, True)])
def test_the_line_is_that_of_vbench(px, fps, moving):
    assert moves(sliding((px, 0.0)), fps) is moving


def test_motion_in_a_quarter_of_the_frames_is_enough():
    video = sliding((3.0, 0.0), 16)
    assert moves(video[[0, 1, 2, 3, 4, *[4] * 11]], 8)
    assert not moves(video[[0, 1, 2, 3, *[3] * 12]], 8)


def test_faster_videos_are_looked_at_eight_times_a_second():
    videos = np.stack([sliding((0.9, 0.0), 25), sliding((0.2, 0.0), 25)])
    measure = DynamicDegree().load(torch.device("cpu"))
    assert measure(Videos(torch.from_numpy(videos), [""] * 2, 24.0)).tolist() == [1, 0]  # 2.7 and 0.6 px
    assert measure(Videos(torch.from_numpy(videos), [""] * 2, 8.0)).tolist() == [0, 0]
    with pytest.raises(ValueError, match="at least 2 frames"):
        measure(Videos(torch.from_numpy(videos[:, :3]), [""] * 2, 24.0))
