"""Temporal flickering: how little a pixel changes from frame to frame (Huang et al. 2024, VBench)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.metrics.metric import Measure
from training.metrics.rows import MeanOfVideos


@dataclass(frozen=True)
class TemporalFlickering(MeanOfVideos):
    """(255 - mean absolute difference of adjacent frames) / 255: 1 for a video that stands still.

    VBench takes it of prompts for still scenes alone. Where things move it falls with motion too, so there it is to be
    read beside the same figure of real videos, not as more is better.
    """

    name: str = "temporal_flickering"
    better = "higher"

    @property
    def protocol(self) -> str:
        """See `Metric`."""
        return (
            "VBench temporal flickering: (255 - mean absolute difference of adjacent frames) / 255, bytes, all frames"
        )

    def load(self, device: torch.device) -> Measure:
        """See `Metric`; needs no weights."""
        return lambda videos: steadiness(videos.frames)


def steadiness(frames: Tensor) -> Tensor:
    """The figure of each video: uint8 (B, T, H, W, 3), T >= 2, to float32 (B,), 0..1.

    Raises:
        ValueError: there is one frame.
    """
    if frames.shape[1] < 2:
        raise ValueError("a video of one frame does not flicker")
    steps = [(frames[:, at + 1].float() - frames[:, at].float()).abs() for at in range(frames.shape[1] - 1)]
    changes = torch.stack([step.flatten(1).mean(dim=1) for step in steps])  # (T-1, B)
    return (255 - changes.mean(dim=0)) / 255
