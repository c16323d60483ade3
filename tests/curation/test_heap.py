import ctypes
import os
from itertools import pairwise
from pathlib import Path

import pytest

from curation import heap

PIECE, PIECES = 100_000, 2_000  # below the size from which blocks are mapped one by one


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


no_glibc = not hasattr(ctypes.CDLL(None), "malloc_trim")
no_huge_pages = no_glibc or not Path("/sys/kernel/mm/transparent_hugepage").exists()


@pytest.mark.skipif(no_glibc, reason="libc has no malloc_trim")
def test_pieces_between_blocks_in_use_go_back_to_the_system():
    pieces = [bytearray(PIECE) for _ in range(PIECES)]
    in_use = pieces[::20]
    del pieces
    before = resident_mb()
    heap.trim_heap()
    assert resident_mb() < before - 0.5 * PIECE * PIECES / 1e6
    assert len(in_use) == PIECES // 20


@pytest.mark.skipif(no_huge_pages, reason="no glibc, or a kernel without huge pages of its own accord")
def test_linux_is_told_to_fill_no_huge_pages_of_the_heap():
    heap.trim_heap()
    areas = Path("/proc/self/smaps").read_text().split("VmFlags:")
    flags = [flags.split("\n")[0].split() for area, flags in pairwise(areas) if "[heap]" in area]
    assert "nh" in flags[0]  # the test has made the heap longer since


def test_nothing_happens_where_libc_cannot(monkeypatch):
    monkeypatch.setattr(heap, "_libc", object)
    heap.trim_heap()
