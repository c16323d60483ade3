"""The interface of metrics: what one is given, what it keeps of each video, and the figure that comes out.

A metric is of a model's videos; a score, which `curation` knows, is of a clip.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from training.run import content_hash

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Videos:
    """A batch of videos of one format."""

    frames: Tensor
    """uint8 (B, T, H, W, 3) RGB."""
    captions: Sequence[str]
    """B of them."""
    fps: float
    """Frames a second."""


Measure = Callable[[Videos], Tensor]
"""What a metric keeps of each video: (B, ...), in the form that its state takes.

Raises:
    ValueError: it cannot measure videos of this format; says why.
"""


@dataclass(frozen=True)
class Estimate:
    """A metric's value, and how sure it is."""

    value: float
    low: float | None = None
    """Lower end of the 95 % interval; None where there is none."""
    high: float | None = None
    """Upper end."""
    caution: str = ""
    """What a reader must know before comparing it."""


@dataclass(frozen=True)
class Figure:
    """One number about a model, with all that it takes to read it."""

    name: str
    """Of the metric, unique in an evaluation."""
    value: float | None
    """None where it is missing."""
    low: float | None
    """Lower end of the 95 % interval over videos; None where there is none."""
    high: float | None
    """Upper end."""
    better: Better
    """Which values are better."""
    protocol: str
    """Every choice that changes the number, and the format of the videos."""
    num_fake: int
    """Sampled videos."""
    num_real: int
    """Reference videos; 0 where the metric needs none."""
    weights_hash: str
    """SHA-256 of the network's weights; empty where it has none, or they are missing."""
    caution: str
    """What a reader must know before comparing it; mostly empty."""
    missing: str
    """Why there is no value; empty where there is one."""


class State(ABC):
    """What is kept of the videos that were measured; adds up over batches and ranks."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of videos."""

    @abstractmethod
    def add(self, numbers: Sequence[int], values: Tensor) -> None:
        """Takes in a batch.

        Args:
            numbers: B of them: of each video in its list, whatever rank and batch it is in. Each video comes once.
            values: (B, ...), as `Measure` gives them.
        """

    @abstractmethod
    def gathered(self) -> Self:
        """The videos of all ranks together, alike on each; every rank calls it. Without ranks, what is here."""


class Metric(ABC):
    """A metric; a frozen dataclass whose fields are its YAML."""

    name: str
    """Its own in an evaluation; a field, so that one class may stand there twice."""
    better: ClassVar[Better]
    needs_real: ClassVar[bool] = False
    """Whether it compares with reference videos."""

    @property
    @abstractmethod
    def protocol(self) -> str:
        """Every choice of its own that changes the number: frames, size, network, weights, statistics."""

    def weights(self) -> Path | None:
        """File or folder of the network's weights; None where it has none, or they are not there."""
        return None

    def weights_hash(self) -> str:
        """SHA-256 of the weights, over all files of a folder; empty without weights."""
        return content_hash(self.weights()) or ""

    @abstractmethod
    def load(self, device: torch.device) -> Measure:
        """Loads what it needs.

        Raises:
            ValueError: weights are missing or are others; says which, and how to get them.
        """

    @abstractmethod
    def new_state(self) -> State:
        """An empty state, of the kind that `summarise` reads."""

    @abstractmethod
    def summarise(self, fake: Any, real: Any) -> Estimate:
        """The figure of some videos.

        Args:
            fake: gathered state of the sampled videos.
            real: of the reference videos; empty unless the metric `needs_real`.

        Raises:
            ValueError: there are too few videos.
        """
