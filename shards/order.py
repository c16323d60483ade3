"""The order of training: shuffled shards, read some at a time, in batches of one bucket; a pure function of the seed.

Epochs join into one endless list of batches, and a position in it is all the state there is. Reads no file.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from typing import Any

import numpy as np

WINDOW_SHARDS = 8


def raw_bits(number: int, *key: int) -> np.ndarray:
    """(number,) uint64, a pure function of the key's numbers, each at least 0.

    Sorted stably they shuffle alike with every numpy, which promises only its bit streams to stay the same.
    """
    return np.random.Philox(np.random.SeedSequence(key)).random_raw(number)


def token_batch_sizes(tokens: Sequence[int], budget: int) -> list[int]:
    """The most samples of each bucket that a batch may hold.

    Args:
        tokens: of one sample of each bucket, above 0.
        budget: tokens of a batch.

    Raises:
        ValueError: a single sample has more tokens than the budget; names the bucket.
    """
    for bucket, one in enumerate(tokens):
        if not 0 < one <= budget:
            raise ValueError(f"a sample of bucket {bucket} has {one} tokens, and a batch may have {budget}")
    return [budget // one for one in tokens]


def positions(start: int, rank: int = 0, world_size: int = 1) -> Iterator[int]:
    """Positions of one rank's batches, without end.

    Args:
        start: batches that all ranks together have done, whatever their number was.
        rank: 0 <= rank < world_size.
        world_size: how many ranks go on from there.
    """
    if start < 0 or not 0 <= rank < world_size:
        raise ValueError(f"there is no batch {start} of rank {rank} of {world_size}")
    return count(start + rank, world_size)


@dataclass(frozen=True, eq=False)
class EpochBatches:
    """The batches of one epoch in their order."""

    samples: np.ndarray
    """(M,) int64 numbers of samples; those of a batch stand side by side."""
    starts: np.ndarray
    """(K,) int64, where in `samples` each batch begins."""
    sizes: np.ndarray
    """(K,) int64, samples of each batch."""
    carried: np.ndarray
    """(M,) bool, whether it is a sample of the epoch before."""
    bucket_ends: np.ndarray
    """(B,) int64, where in `samples` each bucket ends: they stand there one after the other."""

    @cached_property
    def ends(self) -> np.ndarray:
        """(K,) int64, samples of each batch and of all before it."""
        return np.cumsum(self.sizes)

    def slots(self, k: int) -> range:
        """Where in `samples` batch number `k` stands, 0 <= k < len."""
        return range(int(self.starts[k]), int(self.starts[k] + self.sizes[k]))

    def around(self, slot: int) -> Iterator[int]:
        """A slot and those after it, then those before it, of the same bucket: each once."""
        bucket = int(self.bucket_ends.searchsorted(slot, side="right"))
        first = int(self.bucket_ends[bucket - 1]) if bucket else 0
        return chain(range(slot, int(self.bucket_ends[bucket])), range(first, slot))

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, k: int) -> np.ndarray:
        """(B,) int64, samples of batch number `k`, 0 <= k < len."""
        slots = self.slots(k)
        return self.samples[slots.start : slots.stop]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[k] for k in range(len(self)))


class Order:
    """Batches without end over the samples of a set, each sample once an epoch.

    Samples of a bucket that fill no batch by the end of an epoch are carried: its first batch of the next epoch begins
    with them. So none is lost, no batch is short, and rounds of ranks go on from one epoch into the next.
    """

    def __init__(
        self,
        shard_sizes: Sequence[int] | np.ndarray,
        buckets: np.ndarray,
        batch_sizes: Sequence[int] | np.ndarray,
        seed: int,
        window: int = WINDOW_SHARDS,
    ) -> None:
        """Computes nothing yet.

        Args:
            shard_sizes: (S,) samples of each shard.
            buckets: (N,) integers, the bucket of every sample in the order of the shards; -1 leaves a sample out.
            batch_sizes: (B,) samples of a batch, by bucket. A bucket with fewer samples has batches of all of them.
            seed: at least 0.
            window: shards that are read at a time, their samples mixed.

        Raises:
            ValueError: sizes do not fit each other, a bucket has no batch size, or no sample is left.
        """
        self.seed, self.window = seed, window
        self._shard_sizes, self._buckets = np.asarray(shard_sizes, np.int64), np.asarray(buckets)
        sizes = np.asarray(batch_sizes, np.int64)
        self._check(sizes)
        self.num_samples = np.bincount(self._buckets[self._buckets >= 0], minlength=len(sizes))
        """(B,) int64, samples of each bucket in an epoch."""
        if not self.num_samples.any():
            raise ValueError("there is nothing to order: no sample has a bucket")
        self.batch_sizes = np.minimum(sizes, np.maximum(self.num_samples, 1))
        """(B,) int64, samples of each bucket's batches."""
        self._kept: dict[int, EpochBatches] = {}

    @property
    def set_size(self) -> int:
        """N: samples of the set, with those that are left out."""
        return len(self._buckets)

    def _check(self, batch_sizes: np.ndarray) -> None:
        if self.seed < 0 or self.window < 1 or (batch_sizes < 1).any():
            raise ValueError("a seed is at least 0; a window and a batch size are at least 1")
        if self._shard_sizes.sum() != len(self._buckets):
            raise ValueError(f"{len(self._buckets)} samples have buckets, the shards hold {self._shard_sizes.sum()}")
        if len(self._buckets) and not -1 <= self._buckets.min() <= self._buckets.max() < len(batch_sizes):
            raise ValueError(f"buckets are numbered from 0 to {len(batch_sizes) - 1}, each with a batch size")

    def __getitem__(self, position: int) -> np.ndarray:
        """(B,) int64, samples of the batch at a position of at least 0; all of one bucket."""
        epoch, k = self.locate(position)
        return self.kept_epoch(epoch)[k]

    def kept_epoch(self, epoch: int) -> EpochBatches:
        """`epoch`, computed once as long as nobody asks for another but the next or the last."""
        if epoch not in self._kept:
            # Two epochs, since reading ahead goes on into the next one before the last is done.
            self._kept = {kept: self._kept[kept] for kept in self._kept if abs(kept - epoch) == 1}
            self._kept[epoch] = self.epoch(epoch)
        return self._kept[epoch]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_kept": {}}  # another process computes it sooner than it is sent

    def locate(self, position: int) -> tuple[int, int]:
        """The epoch that a batch belongs to, and its number there."""
        if position < 0:
            raise IndexError(f"there is no position {position}")
        epoch = bisect_right(range(position + 2), position, key=self.batches_before) - 1
        return epoch, position - self.batches_before(epoch)

    def batches_before(self, epoch: int) -> int:
        """Batches of all epochs before this one: the position of its first."""
        return int((epoch * self.num_samples // self.batch_sizes).sum())

    def samples_before(self, position: int) -> int:
        """Samples of all batches before a position."""
        sizes = self.batch_sizes[self.num_samples > 0]
        if (sizes == sizes[0]).all():
            return position * int(sizes[0])
        epoch, k = self.locate(position)
        before = int((epoch * self.num_samples // self.batch_sizes * self.batch_sizes).sum())
        return before + (int(self.kept_epoch(epoch).ends[k - 1]) if k else 0)

    def reading(self, epoch: int) -> np.ndarray:
        """Samples of an epoch in the order that batches take them: (N,) int64, each sample that has a bucket once.

        Shards are shuffled and fall into windows; all samples of a window, in shuffled order, come before the next's.
        Where one window holds all shards, this is `ShardSet.order`.
        """
        num_shards = len(self._shard_sizes)
        bits, bits_of_shards = np.split(raw_bits(self.set_size + num_shards, self.seed, epoch), [self.set_size])
        windows = np.empty(num_shards, np.min_scalar_type(num_shards))
        windows[np.argsort(bits_of_shards, kind="stable")] = np.arange(num_shards) // self.window
        order = np.lexsort((bits, np.repeat(windows, self._shard_sizes)))
        return order[self._buckets[order] >= 0]

    def epoch(self, epoch: int) -> EpochBatches:
        """All batches of an epoch; a batch has its place where, in `reading`, its last sample is met."""
        carried = self._carried(epoch)
        stream = np.concatenate([carried, self.reading(epoch)])
        by_bucket, counts = self._by_bucket(stream)
        num_batches = counts // self.batch_sizes
        sizes = np.repeat(self.batch_sizes, num_batches)
        numbers = np.arange(len(sizes)) - np.repeat(np.cumsum(num_batches) - num_batches, num_batches)
        starts = np.repeat(np.cumsum(counts) - counts, num_batches) + numbers * sizes
        order = np.argsort(by_bucket[starts + sizes - 1], kind="stable")
        return EpochBatches(stream[by_bucket], starts[order], sizes[order], by_bucket < len(carried), np.cumsum(counts))

    def _carried(self, epoch: int) -> np.ndarray:
        """Samples of the epoch before that no batch of it took, in the order of reading."""
        # No batch is larger than its bucket, so none is left from epochs before that one.
        lengths = epoch * self.num_samples % self.batch_sizes
        if not lengths.any():
            return np.zeros(0, np.int64)
        earlier = self.reading(epoch - 1)
        by_bucket, counts = self._by_bucket(earlier)
        ends = np.cumsum(counts)
        last = [by_bucket[end - length : end] for end, length in zip(ends, lengths, strict=True)]
        return earlier[np.sort(np.concatenate(last))]

    def _by_bucket(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the samples of the first bucket stand, then those of the second, and so on; how many each has."""
        buckets = self._buckets[samples]
        return np.argsort(buckets, kind="stable"), np.bincount(buckets, minlength=len(self.batch_sizes))


def neighbour_share(groups: np.ndarray) -> tuple[float, float]:
    """How well an order is shuffled: the share of adjacent samples that belong to one group, and what chance gives.

    Args:
        groups: (N,) anything that can be compared, such as ids of source videos, in the order of reading; N > 1.

    Returns:
        Share of the N - 1 pairs of neighbours; its expectation over all orders, sum n (n - 1) / (N (N - 1)).
    """
    _, numbers = np.unique(groups, return_inverse=True)
    counts, total = np.bincount(numbers).astype(np.float64), len(numbers)
    share = float(np.mean(numbers[1:] == numbers[:-1]))
    return share, float((counts * (counts - 1)).sum() / (total * (total - 1)))
