"""What a rule set says of every clip, a few bytes each: which of its reasons hold, packed into bits."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

from curation.block import REASON as BLOCKED
from curation.bounds import Bound
from curation.engine import Counts

DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Reasons:
    """The reasons of a rule set, each a bit: those of its bounds, then `blocked` with a block list, then `duplicate`.

    Bounds of two rules may share one reason: a clip that either rejects has it once.
    """

    bounds: list[Bound]
    is_blocking: bool = False
    """Whether there is a block list."""

    @cached_property
    def names(self) -> list[str]:
        """Their names, each once."""
        of_bounds = dict.fromkeys(bound.reason for bound in self.bounds)
        return [*of_bounds, *([BLOCKED] if self.is_blocking else []), DUPLICATE]

    @property
    def num_bytes(self) -> int:
        """Bytes that a clip takes."""
        return -(-len(self.names) // 8)

    def judge(self, rows: pa.Table, blocked: np.ndarray | None) -> np.ndarray:
        """What the bounds say of some clips: (rows, num_bytes) uint8, reason k at bit k, counted from the highest.

        Args:
            rows: the columns that the bounds read.
            blocked: (rows,) bool, which clips are on the block list; None without one.
        """
        bits = np.zeros((self.num_bytes, len(rows)), np.uint8)
        for bound in self.bounds:
            byte, bit = self._place(bound.reason)
            bits[byte] |= bit * bound.fails(rows)
        if blocked is not None:
            byte, bit = self._place(BLOCKED)
            bits[byte] |= bit * blocked
        return np.ascontiguousarray(bits.T)

    def add_duplicates(self, bits: np.ndarray, rows: np.ndarray) -> None:
        """Sets the bit of `duplicate` for these rows."""
        byte, bit = self._place(DUPLICATE)
        bits[rows, byte] |= bit

    def _place(self, reason: str) -> tuple[int, np.uint8]:
        """The byte of a reason, and its bit in there."""
        byte, bit = divmod(self.names.index(reason), 8)
        return byte, np.uint8(0x80 >> bit)

    def unpack(self, bits: np.ndarray) -> np.ndarray:
        """(rows, num_bytes) uint8 as (rows, reasons) bool."""
        return np.unpackbits(bits, axis=1, count=len(self.names)).astype(bool)


@dataclass
class Summary:
    """Clips and their length by what was said of them: few combinations of reasons, whatever the number of clips."""

    reasons: Reasons
    clips: dict[bytes, int] = field(default_factory=dict)
    """Bits of a combination -> number of clips."""
    seconds: dict[bytes, float] = field(default_factory=dict)
    """Bits of a combination -> length of these clips."""

    def add(self, other: "Summary") -> None:
        """Takes in what was said of other clips, for the same reasons."""
        for key, number in other.clips.items():
            self.clips[key] = self.clips.get(key, 0) + number
            self.seconds[key] = self.seconds.get(key, 0.0) + other.seconds[key]

    def table(self) -> np.ndarray:
        """Which combination has which reason: (combinations, reasons) bool."""
        joined = b"".join(self.clips)
        return self.reasons.unpack(np.frombuffer(joined, np.uint8).reshape(-1, self.reasons.num_bytes))

    def having(self, names: Container[str] | None = None) -> np.ndarray:
        """Which combinations have one of these reasons, or any at all: (combinations,) bool."""
        chosen = [place for place, name in enumerate(self.reasons.names) if names is None or name in names]
        return np.asarray(self.table()[:, chosen].any(axis=1))

    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each combination the number of clips, and their length in seconds."""
        return np.array(list(self.clips.values()), np.int64), np.array(list(self.seconds.values()))

    def counts(self) -> Counts:
        """`clips`, `kept` and `rejected`; the last two sum to the first."""
        number, _ = self.sizes()
        rejected = int(number[self.having()].sum())
        return {"clips": int(number.sum()), "kept": int(number.sum()) - rejected, "rejected": rejected}

    def by_reason(self) -> dict[str, Counts]:
        """For each reason the `clips` that have it, and those that have it `alone`."""
        table, (number, _) = self.table(), self.sizes()
        hits, alone = number @ table, number @ (table & (table.sum(axis=1, keepdims=True) == 1))
        return {name: {"clips": int(hits[i]), "alone": int(alone[i])} for i, name in enumerate(self.reasons.names)}


def sum_up(reasons: Reasons, bits: np.ndarray, seconds: np.ndarray) -> tuple[Summary, pa.ListArray]:
    """Sums up what is said of some clips; and the reasons of each, list<string>, in the order of `names`.

    Args:
        reasons: what the bits stand for.
        bits: (rows, num_bytes) uint8.
        seconds: (rows,) length of each clip.
    """
    stored = pa.py_buffer(np.ascontiguousarray(bits))
    packed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(reasons.num_bytes), len(bits), [None, stored])
    combinations = packed.dictionary_encode()
    codes, found = combinations.indices.to_numpy(), combinations.dictionary.to_pylist()
    clips = np.bincount(codes, minlength=len(found)).tolist()
    lengths = np.bincount(codes, weights=seconds, minlength=len(found)).tolist()
    summary = Summary(reasons, dict(zip(found, clips, strict=True)), dict(zip(found, lengths, strict=True)))
    return summary, reason_lists(summary.table(), reasons.names).take(combinations.indices)


def reason_lists(failed: np.ndarray, reasons: Sequence[str]) -> pa.ListArray:
    """The reasons of each row, list<string>, in the order of `reasons`.

    Args:
        failed: (rows, reasons) bool.
        reasons: what each column of `failed` stands for.
    """
    offsets = np.concatenate([[0], np.cumsum(failed.sum(axis=1))]).astype(np.int32)
    picked = pa.array(np.nonzero(failed)[1])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(reasons, pa.string()).take(picked))
