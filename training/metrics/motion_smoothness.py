"""Motion smoothness: whether a frame lies midway between its neighbours (Huang et al. 2024, VBench)."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from training.metrics.flow import TOLD, optical_flow
from training.metrics.metric import Measure, Videos
from training.metrics.rows import MeanOfVideos

SHORT_SIDE_PX = 256
"""At which flow is computed; frames are compared at their own size."""


@dataclass(frozen=True)
class MotionSmoothness(MeanOfVideos):
    """(255 - mean absolute error) / 255 of every second frame, made anew from the frames on either side.

    VBench makes them by the network AMT-S, this by optical flow, so the figures are not VBench's. A video that stands
    still has 1: read it beside `dynamic_degree`.
    """

    name: str = "motion_smoothness"
    better = "higher"

    @property
    def protocol(self) -> str:
        """See `Metric`."""
        return (
            "VBench motion smoothness: (255 - mean absolute error of every second frame) / 255, made from its "
            f"neighbours by {TOLD} at {SHORT_SIDE_PX} px, not AMT-S"
        )

    def load(self, device: torch.device) -> Measure:
        """See `Metric`; needs no weights."""

        def measure(videos: Videos) -> Tensor:
            if videos.frames.shape[1] < 3:
                raise ValueError("smoothness takes videos of at least 3 frames")
            return torch.tensor([smoothness(frames) for frames in videos.frames.cpu().numpy()])

        return measure


def smoothness(frames: np.ndarray) -> float:
    """The figure of one video, uint8 (T, H, W, 3) RGB, T >= 3."""
    middles = range(1, len(frames) - 1, 2)
    made = [midway(frames[at - 1], frames[at + 1]) for at in middles]
    errors = [cv2.absdiff(frames[at], each).mean() for at, each in zip(middles, made, strict=True)]
    return float((255 - np.mean(errors)) / 255)


def midway(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The frame between two: both are brought halfway along the flow, and averaged; uint8 (H, W, 3)."""
    halves = [
        _warped(one, _at_size(optical_flow(one, other, SHORT_SIDE_PX), one) / 2)
        for one, other in ((before, after), (after, before))
    ]
    return cv2.addWeighted(halves[0], 0.5, halves[1], 0.5, 0)


def _at_size(flow: np.ndarray, frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    scaled = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA)
    return scaled * (width / flow.shape[1], height / flow.shape[0])


def _warped(frame: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Pixels moved along a flow, (H, W, 2): each place takes what lies where the flow says that it comes from."""
    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]]
    places = [(axis - flow[..., part]).astype(np.float32) for part, axis in enumerate((columns, rows))]
    return cv2.remap(frame, *places, interpolation=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
