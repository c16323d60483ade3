"""Runs of a model over many items in batches; a batch that does not fit into the memory of the device is halved."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batches:
    """Remembers the size that fits."""

    def __init__(self, size: int) -> None:
        """Args: size: items a batch at most."""
        self._size = size

    def __call__(self, run: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]) -> list[Result]:
        """Results of all items, in their order.

        Args:
            run: gives one result an item.
            items: may be none.

        Raises:
            torch.OutOfMemoryError: not even one item fits.
            RuntimeError: `run` gave more or fewer results than items: nobody could tell which is whose.
        """
        import torch

        results: list[Result] = []
        while len(results) < len(items):
            batch = items[len(results) : len(results) + self._size]
            try:
                given = run(batch)
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                self._size = len(batch) // 2
                logger.warning("out of memory with %d items at once; going on with %d", len(batch), self._size)
            else:
                if len(given) != len(batch):
                    name = getattr(run, "__qualname__", type(run).__name__)
                    raise RuntimeError(f"{name} gave {len(given)} results for {len(batch)} items")
                results += given
                continue
            torch.cuda.empty_cache()  # out of `except`, where the traceback still holds the tensors
        return results
