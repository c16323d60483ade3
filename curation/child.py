"""A child process that reads untrusted videos and may be killed; it is kept between videos.

The parent asks a few times a second how it fares, and kills it for taking too long, for silence, or for its memory.
What runs inside is in `child_side.py`.
"""

import logging
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from curation.answer import Incoming
from curation.child_error import raised
from curation.child_side import READY, Life, serve

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.2
DYING_S = 5.0  # on a busy machine a process takes its time to end
START_S = 300.0
MB = 2**20
PIECE_BYTES = MB
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",  # as on Ray, so that the bytes agree
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # its own pool keeps some 30 MB of what was written
    # Blocks above 1 MiB go back when they are freed: those of a network have many sizes, and the heap that they left
    # in pieces grew by hundreds of megabytes, with 4 MiB here still by tens. Huge pages make that cheap.
    "GLIBC_TUNABLES": ":".join(
        f"glibc.malloc.{name}={value}"
        for name, value in {"hugetlb": 1, "mmap_threshold": MB, "trim_threshold": 256 * MB}.items()
    ),
}
"""What a child reads at its start, unless it is set already."""

Result = TypeVar("Result")


class ChildDied(Exception):
    """The child crashed, hung, or took too much memory; the message says which."""


class ChildUnavailable(RuntimeError):
    """There is no child to be had, or it cannot be told what to do: our own trouble, of which no video is to blame."""


def _as_it_is(answer: Any) -> Any:
    return answer


class Child:
    """One process that runs functions for us, one at a time. It dies with the process that made it."""

    def __init__(
        self, wall_s: float, attempts: int = 1, silence_s: float | None = None, memory_bytes: int | None = None
    ) -> None:
        """Prepares; the process starts with the first call.

        Args:
            wall_s: a call that takes longer is killed.
            attempts: how often a call is tried whose child dies.
            silence_s: a call that gives no `beat` for so long is killed; None: it need not give any.
            memory_bytes: a child with more memory of its own is killed, on Linux; None: no limit.
        """
        if attempts < 1:
            raise ValueError(f"attempts: {attempts} is not at least 1")
        self._wall_s, self._attempts, self._silence_s, self._memory_bytes = wall_s, attempts, silence_s, memory_bytes
        # Spawned, not forked: Ray's threads must not be copied into it.
        self._context = multiprocessing.get_context("spawn")
        self._life: Life = self._context.RawValue(Life)
        self._process: Any = None
        self._num_retried, self._is_closed = 0, False

    def call(self, function: Callable[..., Any], *args: object, read: Callable[[Any], Result] = _as_it_is) -> Result:
        """The function's result.

        Args:
            function: it and its arguments must pickle.
            args: of the function.
            read: makes the result out of plain data, see `answer.packed`. It must believe nothing: KeyError, TypeError
                and ValueError say that this cannot be the answer.

        Raises:
            ChildDied: the process died, was killed, or made no sense, at every attempt; the next call gets a new one.
            ChildUnavailable: the function was not run, or its result cannot be sent; trying again is no use.
            VideoError: the function raised it; its cause is a `ChildTraceback`, as of those below.
            OSError: likewise.
            ChildRaised: the function raised something else.
        """
        for left in reversed(range(self._attempts)):
            try:
                return self._once(read, function, *args)
            except ChildDied as error:
                if not left:
                    raise
                self._num_retried += 1
                logger.warning("%s; trying %s again", error, args[:2])
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, read: Callable[[Any], Result], function: Callable[..., Any], *args: object) -> Result:
        try:
            message = pickle.dumps((function, args))
        except Exception as error:
            raise ChildUnavailable(f"cannot be sent to the reader of videos: {error}") from error
        if self._process is None:
            self._start()
        with suppress(BrokenPipeError, ConnectionResetError):  # it has died meanwhile: the wait finds that
            self._connection.send_bytes(message)
        try:
            return read(_result(self._answer()))
        except MemoryError as error:
            self._end()  # what it holds is gone with it
            raise ChildDied(f"out of memory: {error}") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self._end()  # who knows what it does
            raise ChildDied(f"crashed: its reader's answer is refused: {error}") from error

    def _start(self) -> None:
        """Starts the process and waits until it says that it is ready."""
        if self._is_closed:
            raise ChildUnavailable("the reader of videos is closed")
        self._connection, theirs = self._context.Pipe()
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        arguments = (theirs, self._life, os.getpid())
        self._process = self._context.Process(target=serve, args=arguments, name="reader", daemon=True)
        try:
            self._process.start()
            theirs.close()  # else its death would not show as the end of the connection
            if not self._connection.poll(START_S):
                raise TimeoutError(f"not ready after {START_S:g} s")
            if os.read(self._connection.fileno(), len(READY)) != READY:
                raise EOFError("it died")
        except (OSError, EOFError, RuntimeError) as error:
            self._end()
            raise ChildUnavailable(f"the reader of videos cannot be started: {type(error).__name__} {error}") from error

    def _answer(self) -> Any:
        """Waits for the answer, and looks after the process meanwhile."""
        started = heard = time.monotonic()
        beats, incoming = self._life.beats, Incoming()
        while incoming.num_missing:
            if self._connection.poll(LOOK_EVERY_S):
                incoming.add(self._piece(incoming.num_missing))
            now = time.monotonic()
            if self._life.beats != beats:
                beats, heard = self._life.beats, now
            reason = self._too_much(now - started, now - heard)
            if reason and incoming.num_missing:
                self._end()
                raise ChildDied(reason)
        return incoming.value()

    def _piece(self, num_bytes: int) -> bytes:
        """What has come of the answer; never waits for more, since the process may stop in the midst of it."""
        piece = b""
        with suppress(OSError):
            piece = os.read(self._connection.fileno(), min(num_bytes, PIECE_BYTES))
        if not piece:
            self._process.join(DYING_S)  # it dies by itself, and shall tell of what
            raise ChildDied(_death(self._end()))
        return piece

    def _too_much(self, wall_s: float, silence_s: float) -> str | None:
        """Which limit is passed, in words."""
        if wall_s > self._wall_s:
            return f"hung: no end after {self._wall_s:g} s"
        if self._silence_s is not None and silence_s > self._silence_s:
            return f"hung: no frame for {self._silence_s:g} s"
        if self._memory_bytes is not None and _own_memory_bytes(self._process.pid) > self._memory_bytes:
            return f"out of memory: more than {self._memory_bytes // MB} MB"
        return None

    @property
    def frames(self) -> int:
        """How many frames all calls together have told of; may be asked from another thread."""
        return self._life.frames

    def take_retried(self) -> int:
        """Attempts that were not the first of a call, since this was last asked."""
        number, self._num_retried = self._num_retried, 0
        return number

    def _end(self) -> int | None:
        """Kills the process; its exit code."""
        process, self._process = self._process, None
        self._connection.close()
        if process is None or process.pid is None:  # never born
            return None
        process.kill()
        process.join()
        return process.exitcode

    def close(self) -> None:
        """Ends the process; there is no call afterwards."""
        self._is_closed = True
        if self._process is not None:
            self._end()


def _result(answer: dict) -> Any:
    """What the function returned; raises what it raised, or ChildUnavailable where it was not run."""
    if "trouble" in answer:
        raise ChildUnavailable(f"the reader of videos did not run: {answer['trouble']}")
    if "error" in answer:
        raise raised(answer["error"])
    return answer["result"]


def _death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with suppress(ValueError):
            return f"crashed: its reader was killed by {signal.Signals(-exit_code).name}"
    return f"crashed: its reader died with exit code {exit_code}"


def _own_memory_bytes(pid: int) -> int:
    """Resident memory but for what lies in files; 0 where the system does not tell."""
    try:
        _, resident, shared, *_ = map(int, Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return 0
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
