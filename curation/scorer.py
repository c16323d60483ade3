"""The interface of scorers; one family of scores a file under `scorers/`."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

Frames = list[tuple[float, np.ndarray]]
"""Proxy frames of one clip: (seconds from the video's first frame, uint8 (H, W, 3) RGB), in order of time."""


@dataclass(frozen=True)
class Resources:
    """What one worker of a scorer takes from the cluster."""

    cpus: float = 1
    gpus: float = 0
    """GPUs, or a share of one; 0 takes one where the scorer's `device` is one."""


class Score(Protocol):
    """What `Scorer.build` returns."""

    def __call__(self, table: pa.Table, frames: Sequence[Frames]) -> dict[str, Sequence]:
        """One value a clip for each column of `writes`.

        Args:
            table: clips, only the columns that the scorer `reads`.
            frames: for each row of the table, its proxy frames; may be empty.

        Returns:
            Column name -> values, None where a clip has no value. The column `error` may be added: for each clip
            why its values are None, else None.
        """
        ...


class Scorer(ABC):
    """A family of scores; a frozen dataclass whose fields are its YAML. Its name is its key in the YAML."""

    reads: Sequence[str] = ()
    """Columns of `clips` it needs; `captions` gives each clip's list of texts."""
    resources: Resources = Resources()
    device: str = "cpu"
    """Where its model runs; unless that is `cpu`, a worker takes a GPU. `auto`: if there is one."""

    @property
    @abstractmethod
    def writes(self) -> pa.Schema:
        """Its columns, each with doc and unit."""

    def prepare(self) -> None:
        """Sees, before any work starts, that all it needs can be had.

        Raises:
            ValueError: something cannot; names it and the way out.
        """
        return None

    @abstractmethod
    def build(self) -> Score:
        """Loads weights, in the worker; heavy imports belong here."""
