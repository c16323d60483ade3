"""Where examples come from: the interface of a source, and the generator that every random choice is drawn from."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from training.sample_plan import Plan


@dataclass(frozen=True, eq=False)
class Example:
    """What a model is shown of one sample."""

    key: str
    frames: Tensor
    """(T, H, W, 3) uint8 RGB; of a latent set their latents (T, C, h, w), a float type."""
    caption: str
    """May be empty where the stage needs none."""
    micro: tuple[float, ...]
    """Scaled, in the order of `Conditioning.micro`."""
    features: Tensor | None = None
    """(L, D) of the caption, where a latent set holds them."""
    given: Tensor | None = None
    """(K, H, W, 3) uint8 RGB, the frames that the stage is given, where `frames` are latents."""


class Source(ABC):
    """Samples that can be read in any order. It travels to the workers of a loader, so it can be pickled."""

    name: str
    """Its folder, for messages."""
    plan: Plan

    def __len__(self) -> int:
        """Number of usable samples."""
        return len(self.plan.usable)

    @property
    def stretches(self) -> np.ndarray:
        """(S,) usable samples of each stretch that is quicker read at a time, in their order; here all are one."""
        return np.array([len(self)])

    @abstractmethod
    def key(self, i: int) -> str:
        """Key of usable sample number `i`, 0 <= i < len."""

    @abstractmethod
    def read(self, i: int, rng: np.random.Generator) -> Example:
        """Usable sample number `i`, 0 <= i < len; what is random comes from `rng` alone.

        Raises:
            ValueError: the sample cannot be read; the reason begins with words that can be counted, up to a colon.
        """


def rng_of(seed: int, epoch: int, number: int) -> np.random.Generator:
    """The generator of one sample in one epoch: a pure function of three numbers of at least 0."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch, number])))


def uniforms(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count,) float64 in [0, 1): equal with every numpy, which promises its bit streams alone."""
    return (rng.bit_generator.random_raw(count) >> np.uint64(11)) * 2.0**-53
