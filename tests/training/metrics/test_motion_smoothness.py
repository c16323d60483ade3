"""Motion smoothness, and the flow below it, on textures that slide."""

import numpy as np
import pytest
import torch
from moving import sliding

from training.metrics.flow import optical_flow
from training.metrics.metric import Videos
from training.metrics.motion_smoothness import MotionSmoothness, midway, smoothness


@pytest.mark.parametrize("way", [(3.0, 0.0), (-2.0, 1.5), (0.0, 0.0)])
def test_flow_is_where_the_texture_goes(way):
    before, after = sliding(way, 2)
    flow = optical_flow(before, after, 256)
    assert flow.shape == (256, 384, 2)
    assert np.median(flow, axis=(0, 1)) == pytest.approx(np.multiply(way, 4), abs=0.4)


def test_the_frame_midway_is_the_one_that_was_there():
    before, middle, after = sliding((2.0, 1.0), 3)
    inside = (slice(8, -8), slice(8, -8))
    made = midway(before, after)
    error = np.abs(made[inside].astype(float) - middle[inside]).mean()
    blend = np.abs((before[inside].astype(float) + after[inside]) / 2 - middle[inside]).mean()
    assert error < 2 and error < blend / 3


def test_steady_motion_is_smoother_than_jerks():
    steady, still = sliding((1.5, 0.0)), sliding((0.0, 0.0))
    jerky = steady[[0, 0, 2, 2, 4, 4, 6, 6, 8]]
    shuffled = steady[[0, 5, 2, 7, 4, 1, 6, 3, 8]]
    found = [smoothness(each) for each in (still, steady, jerky, shuffled)]
    assert found[0] == pytest.approx(1, abs=1e-3) and found == sorted(found, reverse=True)
    assert found[1] > 0.98 > found[2]


def test_videos_are_measured_one_by_one():
    videos = np.stack([sliding((1.5, 0.0)), sliding((0.0, 0.0))])
    measure = MotionSmoothness().load(torch.device("cpu"))
    found = measure(Videos(torch.from_numpy(videos), [""] * 2, 8.0))
    assert found.tolist() == pytest.approx([smoothness(each) for each in videos])
    with pytest.raises(ValueError, match="at least 3 frames"):
        measure(Videos(torch.from_numpy(videos[:, :2]), [""] * 2, 8.0))
