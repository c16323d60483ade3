import ctypes
import os
from pathlib import Path

import pytest

from curation import heap

PIECE, PIECES = 100_000, 2_000  # below the size from which blocks are mapped one by one


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="libc has no malloc_trim")
def test_pieces_between_blocks_in_use_go_back_to_the_system():
    pieces = [bytearray(PIECE) for _ in range(PIECES)]
    in_use = pieces[::20]
    del pieces
    before = resident_mb()
    heap.trim_heap()
    assert resident_mb() < before - 0.5 * PIECE * PIECES / 1e6
    assert len(in_use) == PIECES // 20


def test_nothing_happens_where_libc_cannot(monkeypatch):
    monkeypatch.setattr(heap, "_malloc_trim", lambda: None)
    heap.trim_heap()
