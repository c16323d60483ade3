"""A child process that reads untrusted videos and may be killed; it is kept between videos."""

import ctypes
import logging
import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable
from concurrent.futures import TimeoutError
from typing import Any

from pebble import ProcessExpired, ProcessPool
from pebble.common.types import RemoteTraceback

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1  # of linux/prctl.h


class ChildDied(Exception):
    """The child crashed, was killed for memory, or hung; the message says which."""


class ChildUnavailable(RuntimeError):
    """There is no child to be had, or it cannot be told what to do: our own trouble, of which no video is to blame."""


class Child:
    """One process that runs functions for us, one at a time. It dies with the process that made it."""

    def __init__(self, wall_s: float, attempts: int = 1) -> None:
        """Args: wall_s: a call that takes longer is killed; attempts: how often a call is tried whose child dies."""
        self._wall_s, self._attempts = wall_s, attempts
        self._num_retried = 0
        # Spawned, not forked: Ray's threads must not be copied into it.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPool(max_workers=1, context=context, initializer=_die_with, initargs=(os.getpid(),))

    def call(self, function: Callable[..., Any], *args: object) -> Any:
        """The function's result; function, arguments and result must pickle.

        Raises:
            ChildDied: the process died or hung at every attempt; the next call gets a new one.
            ChildUnavailable: the function was not run, or its result did not arrive; trying again is no use.
            Exception: whatever the function raised.
        """
        for left in reversed(range(self._attempts)):
            try:
                return self._once(function, *args)
            except ChildDied as error:
                if not left:
                    raise
                self._num_retried += 1
                logger.warning("%s; trying %s again", error, args[:2])
        raise ValueError(f"attempts: {self._attempts} is not at least 1")

    def _once(self, function: Callable[..., Any], *args: object) -> Any:
        try:
            future: Any = self._pool.schedule(_portably, args=(function, *args), timeout=self._wall_s)
            return future.result()
        except Exception as error:
            if isinstance(error.__cause__, RemoteTraceback) and not isinstance(error, MemoryError):
                raise  # by the function, in the child
            raise _in_words(error, self._wall_s) from error

    def take_retried(self) -> int:
        """Attempts that were not the first of a call, since this was last asked."""
        number, self._num_retried = self._num_retried, 0
        return number

    def close(self) -> None:
        """Ends the process."""
        self._pool.stop()
        self._pool.join()


def _in_words(error: Exception, wall_s: float) -> Exception:
    """What pebble says of a call that came to no end."""
    if isinstance(error, TimeoutError):
        return ChildDied(f"hung: no end after {wall_s:g} s")
    if isinstance(error, ProcessExpired):
        return ChildDied(f"crashed: its reader died with exit code {error.exitcode}")
    if isinstance(error, MemoryError):
        return ChildDied("out of memory")
    return ChildUnavailable(f"the reader of videos does not run: {type(error).__name__}: {error}")


def _portably(function: Callable[..., Any], *args: object) -> Any:
    """Runs in the child: an exception that cannot be sent to the parent would break the pool, so it becomes words."""
    try:
        return function(*args)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
        raise


def _die_with(parent_pid: int) -> None:
    """Runs in the child: a parent that is killed with -9 cannot end it, so on Linux the kernel shall."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before it could be asked for
        os._exit(1)
