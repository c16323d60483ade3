"""Which of several sets each batch comes from: weighted, shuffled, and a pure function of the batch's position.

Of every `length` batches each set gives exactly its weight, in an order drawn anew for each such block.
"""

from dataclasses import dataclass
from functools import cached_property
from math import gcd

import numpy as np

from shards.order import raw_bits

MAX_LENGTH = 10_000  # of a block; with longer ones shares would hold only in the very long run
TAG = 2**32 - 1  # so that the same seed draws other bits here than for the order of a set


@dataclass(frozen=True)
class Mixture:
    """Batches of several endless sources, of which each begins anew by itself where it runs out.

    After n batches source i has given n * weights[i] / length of them: exactly so where n is a multiple of `length`,
    elsewhere give or take less than `weights[i]`, more precisely weights[i] * (1 - weights[i] / length).

    Raises:
        ValueError: no weight, one that is no whole number above 0, or a sum so large that shares would mean little.
    """

    weights: tuple[int, ...]
    """Batches of each source in a block; divided by what they all can be divided by."""
    seed: int
    """At least 0."""

    def __post_init__(self) -> None:
        whole = all(isinstance(weight, int) and weight > 0 for weight in self.weights)
        if not self.weights or not whole or self.seed < 0:
            raise ValueError(f"weights are whole numbers above 0, as in 3 of 4 batches, not {list(self.weights)}")
        object.__setattr__(self, "weights", tuple(weight // gcd(*self.weights) for weight in self.weights))
        if self.length > MAX_LENGTH:
            raise ValueError(f"weights {self.weights} add up to {self.length}, more than {MAX_LENGTH}: round them")

    @cached_property
    def length(self) -> int:
        """Batches of a block."""
        return sum(self.weights)

    def locate(self, position: int) -> tuple[int, int]:
        """The source of the batch at a position of at least 0, and the batch's position in that source."""
        if position < 0:
            raise IndexError(f"there is no position {position}")
        block, place = divmod(position, self.length)
        drawn = self._block(block)
        source = int(drawn[place])
        return source, block * self.weights[source] + int((drawn[:place] == source).sum())

    def counts(self, num_batches: int) -> list[int]:
        """How many of the first so many batches come from each source."""
        blocks, rest = divmod(num_batches, self.length)
        drawn = np.bincount(self._block(blocks)[:rest], minlength=len(self.weights)).tolist()
        return [blocks * weight + more for weight, more in zip(self.weights, drawn, strict=True)]

    def _block(self, block: int) -> np.ndarray:
        """(length,) int64, sources of a block's batches."""
        bits = raw_bits(self.length, self.seed, block, TAG)
        return np.repeat(np.arange(len(self.weights)), self.weights)[np.argsort(bits, kind="stable")]
