"""The order of training as a pure function of a position, and the batches a loader makes of it.

A position counts examples from the first of the first epoch on, over all ranks. Nothing else is state.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from shards.order import Order
from training.sources import Example, Source, rng_of

MAX_FAILURES = 100

Failure = tuple[str, str]
"""Key of a sample, and why it could not be read."""


@dataclass(frozen=True, eq=False)
class Item:
    """What stands at one position."""

    position: int
    example: Example
    seed: int
    """The sample's own seed for noise, 0 <= seed < 2**63: a function of (seed, epoch, sample)."""
    failures: tuple[Failure, ...]
    """Samples in whose place it stands, since they could not be read."""


class Stream(Dataset[Item]):
    """Endless epochs over all usable samples of some sources; it has no length."""

    def __init__(self, sources: Sequence[Source], seed: int, shuffle: bool = True) -> None:
        """Reads nothing.

        Args:
            sources: one after the other; an epoch holds each usable sample once.
            seed: at least 0.
            shuffle: whether each epoch has an order of its own, that of `shards.order.Order.reading`, over the shards
                of all sources; else all have that of the sources.

        Raises:
            ValueError: there is no sample.
        """
        self.sources, self.seed, self.shuffle = list(sources), seed, shuffle
        self._ends = np.cumsum([len(source) for source in sources], dtype=np.int64)
        self.num_samples = int(self._ends[-1]) if len(self._ends) else 0
        """In an epoch."""
        if not self.num_samples:
            raise ValueError("nothing to train on: the sources are empty")
        stretches = np.concatenate([source.stretches for source in self.sources])
        self._order = Order(stretches, np.zeros(self.num_samples, np.int8), [1], seed)
        self._last: tuple[int, np.ndarray] | None = None

    def order(self, epoch: int) -> np.ndarray:
        """Numbers of an epoch's samples in their order: (num_samples,) int64."""
        if self._last is None or self._last[0] != epoch:
            self._last = epoch, self._order.reading(epoch) if self.shuffle else np.arange(self.num_samples)
        return self._last[1]

    def __getitem__(self, position: int) -> Item:
        """The example at a position of at least 0; where it cannot be read, the one that follows it in its epoch.

        Raises:
            IndexError: the position is below 0.
            RuntimeError: too many in a row cannot be read.
        """
        if position < 0:
            raise IndexError(f"there is no position {position}")
        epoch, place = divmod(position, self.num_samples)
        order, failures = self.order(epoch), []
        for step in range(min(self.num_samples, MAX_FAILURES)):
            number = int(order[(place + step) % self.num_samples])
            rng = rng_of(self.seed, epoch, number)
            seed = int(rng.bit_generator.random_raw()) >> 1
            source, i = self._find(number)
            try:
                return Item(position, source.read(i, rng), seed, tuple(failures))
            except ValueError as error:
                failures.append((source.key(i), str(error)))
        key, reason = failures[-1]
        raise RuntimeError(f"{len(failures)} samples in a row cannot be read; the last, {key}, {reason}")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_last": None}  # a worker makes the order anew sooner than it is sent one

    def _find(self, number: int) -> tuple[Source, int]:
        """The source that holds a sample, and the sample's number there."""
        at = int(np.searchsorted(self._ends, number, side="right"))
        return self.sources[at], number - int(self._ends[at]) + len(self.sources[at])


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples of one size."""

    keys: list[str]
    frames: Tensor
    """(B, T, H, W, 3) uint8 RGB; of a latent set their latents (B, T, C, h, w), a float type."""
    captions: list[str]
    micro: Tensor
    """(B, N) float32, scaled, in the order of `Conditioning.micro`."""
    seeds: Tensor
    """(B,) int64, not negative; they stay on the CPU, where generators are seeded."""
    failures: tuple[Failure, ...]
    """Of all its items."""
    features: Tensor | None = None
    """(B, L, D) of the captions, where a latent set holds them."""

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: torch.device | str, **kwargs: Any) -> "Batch":
        """The same with frames and numbers on another device; keywords of `torch.Tensor.to`."""
        moved = {name: value for name in ("frames", "micro", "features") if (value := getattr(self, name)) is not None}
        return replace(self, **{name: value.to(device, **kwargs) for name, value in moved.items()})


def collate(items: Sequence[Item]) -> Batch:
    """The batch of some items whose frames have one size."""
    examples = [item.example for item in items]
    features = [example.features for example in examples if example.features is not None]
    return Batch(
        [example.key for example in examples],
        torch.stack([example.frames for example in examples]),
        [example.caption for example in examples],
        torch.tensor([example.micro for example in examples], dtype=torch.float32),
        torch.tensor([item.seed for item in items], dtype=torch.int64),
        tuple(failure for item in items for failure in item.failures),
        torch.stack(features) if features else None,
    )


@dataclass(frozen=True)
class Positions:
    """The positions of each of one rank's batches: a `batch_sampler`; goes through them as often as asked.

    Global batch k is made of `world_size` such batches; rank r's begins at position (k * world_size + r) * batch_size.
    """

    start_batch: int
    """Global batches that are done already."""
    num_batches: int
    """How many to give."""
    batch_size: int
    """Of one rank."""
    rank: int = 0
    world_size: int = 1

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[list[int]]:
        for batch in range(self.start_batch, self.start_batch + self.num_batches):
            first = (batch * self.world_size + self.rank) * self.batch_size
            yield list(range(first, first + self.batch_size))
