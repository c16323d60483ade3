"""Finds pairs of almost equal 128-bit hashes among millions, without comparing all.

Sorted by value, hashes that agree in their first bits are neighbours; so they are sorted many times, each time with
other bits first (Charikar's search, as in Manku et al., "Detecting Near-Duplicates for Web Crawling", WWW 2007).
"""

from collections.abc import Iterator

import numpy as np

BITS = 128
WORD_BITS = 64
TURNS_BITS = range(0, WORD_BITS, 8)  # each word is turned by so much before a sort
NEIGHBOURS = 8  # each hash is compared with so many that follow it


def near_pairs(hashes: np.ndarray, owners: np.ndarray, max_bits: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of hashes of different owners that differ in few bits; most, not all, and some pairs several times.

    Time grows as n log n; memory is some 80 bytes a hash, and 16 to 32 a pair found in one of the sorts.

    Args:
        hashes: uint64 (n, 2).
        owners: int64 (n,), the clip of each.
        max_bits: largest number of bits that differ.

    Yields:
        Indices of the two hashes, (pairs,) int64 each; that of the smaller owner first.
    """
    for word in range(hashes.shape[1]):
        for turn in TURNS_BITS:
            order = np.argsort(_turned(hashes[:, word], turn), kind="stable")
            rows = _near_in_order(hashes[order], owners[order], max_bits)
            left, right = order[np.concatenate(rows, axis=1)]
            swapped = owners[left] > owners[right]
            yield np.where(swapped, right, left), np.where(swapped, left, right)


def differing_bits(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """In how many bits hashes differ: uint64 (..., 2) twice to int64 (...)."""
    return np.bitwise_count(left ^ right).sum(axis=-1, dtype=np.int64)


def _near_in_order(hashes: np.ndarray, owners: np.ndarray, max_bits: int) -> list[np.ndarray]:
    """Places of neighbours of different owners that differ in few bits: (2, pairs) for each distance."""
    words = [np.ascontiguousarray(word) for word in hashes.T]  # the same place after place, so that it is fast
    found = []
    for step in range(1, NEIGHBOURS + 1):
        differing = sum(np.bitwise_count(word[:-step] ^ word[step:]) for word in words)
        places = np.flatnonzero((differing <= max_bits) & (owners[:-step] != owners[step:]))
        found.append(np.stack([places, places + step]))
    return found


def _turned(words: np.ndarray, bits: int) -> np.ndarray:
    """Bits turned to the left."""
    return words << np.uint64(bits) | words >> np.uint64((WORD_BITS - bits) % WORD_BITS) if bits else words
