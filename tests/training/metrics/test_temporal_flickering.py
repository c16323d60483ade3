"""Temporal flickering on videos whose change from frame to frame is known."""

import pytest
import torch

from training.metrics.metric import Videos
from training.metrics.temporal_flickering import TemporalFlickering


def test_the_figure_is_what_is_left_of_255():
    still = torch.full((5, 4, 4, 3), 100, dtype=torch.uint8)
    stepping = torch.arange(0, 50, 10, dtype=torch.uint8)[:, None, None, None].expand(5, 4, 4, 3)  # 10 a frame
    blinking = still.clone()
    blinking[1::2] = 202  # 102 a frame, up and down
    measure = TemporalFlickering().load(torch.device("cpu"))
    found = measure(Videos(torch.stack([still, stepping, blinking]), [""] * 3, 8.0))
    assert found.tolist() == pytest.approx([1, 1 - 10 / 255, 1 - 102 / 255])


def test_one_frame_is_refused():
    with pytest.raises(ValueError, match="one frame"):
        TemporalFlickering().load(torch.device("cpu"))(Videos(torch.zeros(1, 1, 4, 4, 3).byte(), [""], 8.0))
