"""Reads batches of one or several sets ahead of their use, in threads; passes over what cannot be read, up to a limit.

For programs that read packed sets by this library, torch or not. The trainer here has a stream of its own
(`training/stream.py`), which draws windows, captions and buckets too, and does so in processes.

Threads and not processes: a sample is bytes, whose reading leaves the interpreter free, and no copy goes between
processes. Batches come in the order of their positions whatever the number of workers.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from shards.mixture import Mixture
from shards.order import Order, positions
from shards.reader import ShardSet

T = TypeVar("T")


@dataclass(frozen=True)
class Skipped:
    """A sample that could not be read."""

    key: str
    reason: str


@dataclass(frozen=True, eq=False)
class Batch(Generic[T]):
    """What was read for one position."""

    position: int
    """Among the batches of all ranks."""
    source: int
    """Number of the set that its samples come from."""
    samples: list[T]
    skipped: list[Skipped]
    """Samples that are missing in it."""


class Loader(Generic[T]):
    """Batches of samples from any position on: of `Sample`s, or of what `read` makes of them."""

    def __init__(
        self,
        sources: Sequence[tuple[ShardSet, Order]],
        mixture: Mixture | None = None,
        read: Callable[[ShardSet, int], T] = ShardSet.read,
        workers: int = 0,
        ahead: int = 4,
        max_skipped: int = 100,
    ) -> None:
        """Reads nothing yet.

        Args:
            sources: sets, and the order of each.
            mixture: how often each of them gives a batch; needed where they are several.
            read: what becomes of sample `i` of a set; runs in several threads at a time. A ValueError skips the sample.
            workers: threads; 0 reads when a batch is asked for.
            ahead: batches that are read before they are asked for; so many and one more are held.
            max_skipped: samples that may be skipped over the life of this loader.

        Raises:
            ValueError: orders or the mixture do not fit the sets.
        """
        self._sources, self._mixture = list(sources), mixture or Mixture((1,), 0)
        if len(self._mixture.weights) != len(self._sources):
            raise ValueError(f"{len(self._sources)} sets need a mixture of as many weights")
        for shards, order in self._sources:
            if order.set_size != len(shards):
                raise ValueError(f"{shards.folder} has {len(shards)} samples, its order has {order.set_size}")
        self._do_read, self._workers, self._ahead, self._max_skipped = read, workers, ahead, max_skipped
        self.num_skipped = 0
        """Samples skipped so far."""

    def batches(self, start: int = 0, rank: int = 0, world_size: int = 1) -> Generator[Batch[T], None, None]:
        """The batches of a rank, without end; the threads go when it is closed or forgotten.

        Args:
            start: batches that all ranks together have done: the state to resume from, with any number of ranks.
            rank: 0 <= rank < world_size.
            world_size: number of ranks.

        Raises:
            ValueError: more samples were skipped than may be.
            OSError: the disk or the share fails: that is no fault of a sample.
        """
        todo = positions(start, rank, world_size)
        with closing(self._in_threads(todo) if self._workers else self._one_by_one(todo)) as found:
            for batch in found:
                self._count(batch)
                yield batch

    def _one_by_one(self, todo: Iterator[int]) -> Generator[Batch[T], None, None]:
        for position in todo:
            yield self._read(*self._find(position))

    def _find(self, position: int) -> tuple[int, int, np.ndarray]:
        source, k = self._mixture.locate(position)
        return position, source, self._sources[source][1][k]

    def _read(self, position: int, source: int, numbers: np.ndarray) -> Batch[T]:
        batch, shards = Batch[T](position, source, [], []), self._sources[source][0]
        for i in numbers.tolist():
            try:
                batch.samples.append(self._do_read(shards, i))
            except ValueError as error:
                batch.skipped.append(Skipped(shards.index["key"][i].as_py(), str(error)))
        return batch

    def _in_threads(self, todo: Iterator[int]) -> Generator[Batch[T], None, None]:
        pool, pending = ThreadPoolExecutor(self._workers), deque[Future[Any]]()
        try:
            for position in todo:
                pending.append(pool.submit(self._read, *self._find(position)))
                if len(pending) > self._ahead:
                    yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _count(self, batch: Batch[T]) -> None:
        self.num_skipped += len(batch.skipped)
        if batch.skipped and self.num_skipped > self._max_skipped:
            last = batch.skipped[-1]
            raise ValueError(
                f"{self.num_skipped} samples could not be read, and {self._max_skipped} may be skipped; the last was "
                f"{last.key}: {last.reason}"
            )
