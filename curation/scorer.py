"""The interface of scorers; one family of scores a file under `scorers/`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

Frames = Sequence[tuple[float, np.ndarray]]
"""Proxy frames of one clip: (seconds from the video's first frame, uint8 (H, W, 3) RGB), in order of time.

A frame is decoded when it is first looked at; one that is damaged raises ValueError then.
"""


class Misfit(ValueError):
    """What a scorer was given does not fit it, whatever the clip: stops the job at once; says the way out."""


@dataclass(frozen=True)
class Resources:
    """What one worker of a scorer takes from the cluster."""

    cpus: float = 1
    """Cores; fractions let more workers share one."""
    gpus: float = 0
    """GPUs, or a share of one; above 1 whole numbers. 0 takes one where the scorer's `device` is one."""

    def __post_init__(self) -> None:
        if self.cpus < 0 or self.gpus < 0 or (self.gpus > 1 and self.gpus % 1):
            raise ValueError(f"resources: {self.cpus} CPUs and {self.gpus} GPUs: none below 0, GPUs above 1 whole")


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

        Raises:
            Misfit: what it reads does not fit it.
            Exception: a clip broke it; the clips are then given to it one by one.
        """
        ...


class Scorer(ABC):
    """A family of scores; a frozen dataclass whose fields are its YAML. Its name is its key in the YAML."""

    reads: Sequence[str] = ()
    """Columns it needs: of `clips`, of what other scorers write, `captions` (each clip's list of texts), and `path`
    (the file of its video)."""
    reads_frames: bool = True
    """Whether it looks at proxy frames; without, no frame is read for it, and its clips come with none."""
    resources: Resources = Resources()
    device: str = "cpu"
    """Where its model runs; unless that is `cpu`, a worker takes a GPU. `auto`: if there is one."""

    @property
    @abstractmethod
    def writes(self) -> pa.Schema:
        """Its columns, each with doc and unit."""

    def check(self, writers: Mapping[str, "Scorer"]) -> None:
        """Sees that it fits the scorers whose columns it reads; needs no file and no network.

        Args:
            writers: column of `reads` -> the scorer that writes it, for those that a scorer writes.

        Raises:
            ValueError: it does not; says the way out.
        """
        return None

    def prepare(self) -> None:
        """Sees, before any work starts, that all it needs can be had; downloads it where it lies at a hub.

        Raises:
            ValueError: something cannot; names it and the way out.
        """
        return None

    def weights(self) -> Mapping[str, Path | str | None]:
        """Files whose content decides the scores, by a name: a table keeps their hashes; a commit stands for itself.

        Files and `local-dir:` folders that a field names need not be told. None stands for what is not on this
        machine. A name that is a field's too replaces it: a branch is remembered as the commit that it stood for.
        """
        return {}

    @abstractmethod
    def build(self) -> Score:
        """Loads weights, in the worker; heavy imports belong here."""
