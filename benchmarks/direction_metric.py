"""The demo world's own metric: whether things go where their caption says. Any class of this form can stand in YAML."""

import re
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.thing_track import displacement, goes
from curation.demo.motion import DIRECTIONS
from curation.demo.shapes import COLOURS
from training.metrics.intervals import interval
from training.metrics.metric import Estimate, Measure, Videos
from training.metrics.rows import MeanOfVideos, Rows

_WAYS = "|".join(sorted(DIRECTIONS, key=len, reverse=True))  # "up right" before "up"
MOVER = re.compile(rf"\b({'|'.join(COLOURS)}) \w+ moves ({_WAYS})\b")


@dataclass(frozen=True)
class Direction(MeanOfVideos):
    """Share of videos in which the first moving thing of the caption goes within 45 degrees of where it says.

    A video whose caption tells of no moving thing has NaN and counts nowhere.
    """

    name: str = "direction"
    better = "higher"

    @property
    def protocol(self) -> str:
        """See `Metric`."""
        return "demo world: share of things that go, by their colour, within 45 degrees of where the caption says"

    def load(self, device: torch.device) -> Measure:
        """See `Metric`."""
        return _measure

    def summarise(self, fake: Rows, real: Rows) -> Estimate:
        """See `MeanOfVideos`."""
        values = fake.values.numpy() if len(fake) else np.array([])
        told = values[np.isfinite(values)]
        if len(told) < 2:
            raise ValueError("fewer than two captions tell of a thing that moves")
        low, high = interval(told)
        return Estimate(float(told.mean()), low, high, f"of {len(told)} videos whose caption tells of motion")


def _measure(videos: Videos) -> Tensor:
    """(B,): 1 for going there, 0 for not, NaN where nothing is said to move."""
    found = [MOVER.search(caption) for caption in videos.captions]
    pairs = zip(videos.frames.numpy(), found, strict=True)
    return torch.tensor([_hit(frames, *mover.groups()) if mover else torch.nan for frames, mover in pairs])


def _hit(frames: np.ndarray, colour: str, direction: str) -> float:
    return float(goes(displacement(frames, colour), direction))
