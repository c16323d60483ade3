"""Dynamic degree: the share of videos in which something moves (Huang et al. 2024, VBench)."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from training.metrics.flow import TOLD, optical_flow
from training.metrics.metric import Measure, Videos
from training.metrics.rows import MeanOfVideos

SHORT_SIDE_PX = 256
FASTEST = 0.05
"""Share of the pixels whose flow counts."""
THRESHOLD_PX = 6.0
"""Of their mean flow from frame to frame at 8 frames a second; VBench has it at a short side of 256 px."""
VBENCH_FPS = 8.0
MOVING = 4 / 16
"""Share of the frames after which there must be such motion."""


@dataclass(frozen=True)
class DynamicDegree(MeanOfVideos):
    """1 for a video that moves, 0 for one that does not; more motion is not better, less is often worse.

    VBench measures flow by the network RAFT at the videos' own size, this by DIS, so the figures are near VBench's, not
    VBench's.
    """

    name: str = "dynamic_degree"
    better = "neither"

    @property
    def protocol(self) -> str:
        """See `Metric`."""
        return (
            f"VBench dynamic degree: share of videos whose fastest 5 % of pixels go {THRESHOLD_PX:g} px (short side "
            f"{SHORT_SIDE_PX} px; more below 8 fps) in a quarter of the frames, at most 8 a second; {TOLD}, not RAFT"
        )

    def load(self, device: torch.device) -> Measure:
        """See `Metric`; needs no weights."""

        def measure(videos: Videos) -> Tensor:
            every = max(1, round(videos.fps / VBENCH_FPS))
            frames = videos.frames[:, ::every].cpu().numpy()
            if frames.shape[1] < 2:
                raise ValueError("motion takes videos of at least 2 frames at 8 frames a second")
            return torch.tensor([float(moves(each, videos.fps)) for each in frames])

        return measure


def moves(frames: np.ndarray, fps: float) -> bool:
    """Whether something moves, as VBench counts it.

    Args:
        frames: uint8 (T, H, W, 3) RGB, T >= 2, at most about 8 a second.
        fps: of the video that they are taken from; below 8, things go further in a step.
    """
    threshold = THRESHOLD_PX * max(1.0, VBENCH_FPS / fps)
    steps = [fastest(before, after) > threshold for before, after in pairwise(frames)]
    return sum(steps) >= max(1, round(MOVING * len(frames)))


def fastest(before: np.ndarray, after: np.ndarray) -> float:
    """Mean flow of the fastest pixels, in pixels at a short side of 256."""
    lengths = np.linalg.norm(optical_flow(before, after, SHORT_SIDE_PX), axis=2).ravel()
    return float(np.sort(lengths)[-int(FASTEST * len(lengths)) :].mean())
