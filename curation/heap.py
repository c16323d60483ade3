"""Gives memory back to the system that the heap keeps in pieces."""

import ctypes
from functools import cache
from pathlib import Path

MAPS = Path("/proc/self/maps")
NO_HUGE_PAGES = 15  # MADV_NOHUGEPAGE


def trim_heap() -> None:
    """Gives back whole pages of what is free between blocks in use; where libc is not glibc, nothing happens.

    Linux makes huge pages of small ones in the background, and so fills what was given back; the heap is told to keep
    its small ones.
    """
    libc = _libc()
    if not hasattr(libc, "malloc_trim"):
        return
    libc.malloc_trim(0)
    if MAPS.exists():
        start, end = _heap()
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), NO_HUGE_PAGES)


def _heap() -> tuple[int, int]:
    """Where the heap begins and ends; it lies in one piece, whose parts may be listed apart."""
    parts = [line.split()[0].split("-") for line in MAPS.read_text().splitlines() if line.endswith("[heap]")]
    return (int(parts[0][0], 16), int(parts[-1][1], 16)) if parts else (0, 0)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
