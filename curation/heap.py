"""Gives memory back to the system that the heap keeps in pieces."""

import ctypes
from collections.abc import Callable
from functools import cache


def trim_heap() -> None:
    """Gives back whole pages of what is free between blocks in use; where libc is not glibc, nothing happens."""
    if trim := _malloc_trim():
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
