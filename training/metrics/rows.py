"""Metrics that are a mean over videos: each video keeps its value, so that there are intervals and comparisons."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from training.metrics.intervals import interval
from training.metrics.metric import Estimate, Metric, State
from training.metrics.ranks import of_all_ranks


class Rows(State):
    """A row of values a video, in the order of their numbers, whatever batch and rank they came in."""

    def __init__(self) -> None:
        """Holds no video yet."""
        self._rows: dict[int, Tensor] = {}

    def __len__(self) -> int:
        """See `State`."""
        return len(self._rows)

    @property
    def numbers(self) -> list[int]:
        """Of the videos, ascending."""
        return sorted(self._rows)

    @property
    def values(self) -> Tensor:
        """float64 (N, ...), in the order of `numbers`."""
        return torch.stack([self._rows[number] for number in self.numbers])

    def add(self, numbers: Sequence[int], values: Tensor) -> None:
        """See `State`; a video that comes twice counts once."""
        self._rows |= dict(zip(numbers, values.detach().double().cpu(), strict=True))

    def gathered(self) -> Self:
        """See `State`."""
        together = type(self)()
        for rows in of_all_ranks(self._rows):
            together._rows |= rows
        return together


class MeanOfVideos(Metric):
    """A metric whose `Measure` gives one value a video, (B,), and whose figure is their mean."""

    @property
    @abstractmethod
    def protocol(self) -> str:
        """See `Metric`."""

    def new_state(self) -> Rows:
        """See `Metric`."""
        return Rows()

    def summarise(self, fake: Rows, real: Rows) -> Estimate:
        """The mean over videos with its 95 % interval, where there are enough for one; see `Metric`."""
        if not len(fake):
            raise ValueError("no video was measured")
        values = fake.values.numpy()
        return Estimate(float(values.mean()), *interval(values))
