"""A child process that reads untrusted videos and may be killed; it is kept between videos."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import TimeoutError
from typing import Any

from pebble import ProcessExpired, ProcessPool


class ChildDied(Exception):
    """The child crashed, was killed for memory, or hung; the message says which."""


class Child:
    """One process that runs functions for us, one at a time."""

    def __init__(self, wall_s: float) -> None:
        """Args: wall_s: a call that takes longer is killed."""
        self._wall_s = wall_s
        # Spawned, not forked: Ray's threads must not be copied into it.
        self._pool = ProcessPool(max_workers=1, context=multiprocessing.get_context("spawn"))

    def call(self, function: Callable[..., Any], *args: object) -> Any:
        """The function's result; function, arguments and result must pickle.

        Raises:
            ChildDied: the process died or hung; the next call gets a new one.
            Exception: whatever the function raised.
        """
        future: Any = self._pool.schedule(function, args=args, timeout=self._wall_s)
        try:
            return future.result()
        except TimeoutError as error:
            raise ChildDied(f"hung: no end after {self._wall_s:g} s") from error
        except ProcessExpired as error:
            raise ChildDied(f"crashed: its reader died with exit code {error.exitcode}") from error
        except MemoryError as error:
            raise ChildDied("out of memory") from error

    def close(self) -> None:
        """Ends the process."""
        self._pool.stop()
        self._pool.join()
