"""The order of training as a pure function of a position, and the batch that stands there.

A position counts batches from the first of the first epoch on, over all ranks. Nothing else is state.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from shards.mixture import Mixture
from shards.order import Order
from training.given import Given
from training.sources import Example, Source, rng_of

MAX_FAILURES = 100

Failure = tuple[str, str]
"""Key of a sample, and why it could not be read."""


@dataclass(frozen=True, eq=False)
class Item:
    """One example of a batch."""

    example: Example
    seed: int
    """The sample's own seed for noise, 0 <= seed < 2**63: a function of (seed, epoch, sample)."""
    failures: tuple[Failure, ...] = ()
    """Samples in whose place it stands, since they could not be read."""


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
    given: Tensor | None = None
    """(B, K, H, W, 3) uint8 RGB, the frames that the stage is given, where `frames` are latents."""

    def __len__(self) -> int:
        return len(self.keys)

    def given_frames(self, given: Given) -> Tensor:
        """The frames that a stage is given: (B, K, H, W, 3) uint8 RGB."""
        return given.of(self.frames) if self.given is None else self.given

    def to(self, device: torch.device | str, **kwargs: Any) -> "Batch":
        """The same with frames and numbers on another device; keywords of `torch.Tensor.to`."""
        names = ("frames", "micro", "features", "given")
        moved = {name: value for name in names if (value := getattr(self, name)) is not None}
        return replace(self, **{name: value.to(device, **kwargs) for name, value in moved.items()})


class Stream(Dataset[Batch]):
    """Endless batches of several sets, mixed by weight, each set in epochs of its own; it has no length."""

    def __init__(
        self, sources: Sequence[Source], batch_sizes: Sequence[int], seed: int, weights: Sequence[int] = ()
    ) -> None:
        """Reads nothing.

        Args:
            sources: each with at least one usable sample.
            batch_sizes: samples of a batch, by bucket.
            seed: at least 0.
            weights: batches of each source in so many; equal without.

        Raises:
            ValueError: there is no sample, or weights that do not fit; see `Mixture` and `Order`.
        """
        self.sources, self.seed = list(sources), seed
        if not self.sources:
            raise ValueError("nothing to train on: there is no set")
        self.orders = [Order(source.stretches, source.plan.buckets, batch_sizes, seed) for source in self.sources]
        self.mixture = Mixture(tuple(weights) or (1,) * len(self.sources), seed)
        if len(self.mixture.weights) != len(self.sources):
            raise ValueError(f"{len(self.sources)} sets need as many weights, not {len(self.mixture.weights)}")
        self._firsts = np.cumsum([0, *map(len, self.sources)]).tolist()
        self.parts = 1
        """Equal parts that each batch of the orders comes in, one a position; set before anything is read."""

    def samples_before(self, position: int) -> int:
        """Samples of all batches before a position."""
        whole, part = divmod(position, self.parts)
        before = self._samples_of(whole)
        return before + (part * (self._samples_of(whole + 1) - before) // self.parts if part else 0)

    def _samples_of(self, num_batches: int) -> int:
        """Samples of the first so many batches of the orders."""
        counts = self.mixture.counts(num_batches)
        return sum(order.samples_before(count) for order, count in zip(self.orders, counts, strict=True))

    @property
    def mean_batch(self) -> float:
        """Samples of a batch, on the long run."""
        means = [order.num_samples.sum() / (order.num_samples / order.batch_sizes).sum() for order in self.orders]
        return float(np.average(means, weights=self.mixture.weights)) / self.parts

    def __getitem__(self, position: int) -> Batch:
        """The batch at a position of at least 0.

        In place of a sample that cannot be read stands the one that follows it in its bucket and epoch.

        Raises:
            IndexError: the position is below 0.
            RuntimeError: too many in a row cannot be read.
        """
        whole, part = divmod(position, self.parts)
        source, k = self.mixture.locate(whole)
        epoch, place = self.orders[source].locate(k)
        batches, items = self.orders[source].kept_epoch(epoch), []
        slots_of_all = batches.slots(place)
        size = len(slots_of_all) // self.parts
        for slot in slots_of_all[part * size : (part + 1) * size]:
            # A sample that was carried over keeps what it would have drawn in its own epoch.
            slots = list(islice(batches.around(slot), MAX_FAILURES))
            wanted = [(epoch - int(batches.carried[at]), int(batches.samples[at])) for at in slots]
            items.append(self._first_that_reads(source, wanted))
        return collate(items)

    def _first_that_reads(self, source: int, wanted: Iterable[tuple[int, int]]) -> Item:
        """Args: wanted: epoch and number in the source, in the order of trying."""
        failures: list[Failure] = []
        for epoch, i in wanted:
            try:
                return replace(self._item(source, epoch, i), failures=tuple(failures))
            except ValueError as error:
                failures.append((self.sources[source].key(i), str(error)))
        key, reason = failures[-1]
        raise RuntimeError(f"{len(failures)} samples in a row cannot be read; the last, {key}, {reason}")

    def item(self, i: int) -> Item:
        """Sample i of the first set, through the same window and with the same noise every time.

        Raises:
            ValueError: it cannot be read.
        """
        return self._item(0, 0, i)

    def _item(self, source: int, epoch: int, i: int) -> Item:
        rng = rng_of(self.seed, epoch, self._firsts[source] + i)
        seed = int(rng.bit_generator.random_raw()) >> 1
        return Item(self.sources[source].read(i, rng), seed)

    def first(self, number: int, rank: int = 0, world_size: int = 1) -> Iterator[Batch]:
        """Unshuffled: a rank's share of the first samples of the first set, each once; those that do not read are left
        out. The same windows and noise every time.

        Args:
            number: of samples, over all ranks.
            rank: 0 <= rank < world_size.
            world_size: number of ranks.
        """
        mine = np.arange(rank, min(number, len(self.sources[0])), world_size)
        buckets = self.sources[0].plan.buckets[mine]
        for bucket, size in enumerate(self.orders[0].batch_sizes.tolist()):
            some = mine[buckets == bucket]
            for start in range(0, len(some), size):
                if items := list(self._readable(some[start : start + size].tolist())):
                    yield collate(items)

    def _readable(self, numbers: Sequence[int]) -> Iterator[Item]:
        for i in numbers:
            try:
                yield self.item(i)
            except ValueError:
                continue


def collate(items: Sequence[Item]) -> Batch:
    """The batch of some items whose frames have one size."""
    examples = [item.example for item in items]
    features = [example.features for example in examples if example.features is not None]
    given = [example.given for example in examples if example.given is not None]
    return Batch(
        [example.key for example in examples],
        torch.stack([example.frames for example in examples]),
        [example.caption for example in examples],
        torch.tensor([example.micro for example in examples], dtype=torch.float32),
        torch.tensor([item.seed for item in items], dtype=torch.int64),
        tuple(chain.from_iterable(item.failures for item in items)),
        torch.stack(features) if features else None,
        torch.stack(given) if given else None,
    )


@dataclass(frozen=True)
class Positions:
    """The positions of one rank's batches: a sampler; goes through them as often as asked."""

    start: int
    """Batches that all ranks together have done, whatever their number was."""
    num_batches: int
    """How many to give."""
    rank: int = 0
    world_size: int = 1

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[int]:
        first = self.start + self.rank
        return iter(range(first, first + self.num_batches * self.world_size, self.world_size))
