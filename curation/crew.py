"""Work on the parts of a corpus, several at a time: in threads, or in processes where there are enough to pay for them.

Looking at a part is half Python, which threads do one at a time.
"""

import os
import pickle
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pyarrow as pa

from curation.child_side import die_with
from curation.tables import Corpus

MANY_PARTS = 256
"""So many pay for processes, which take about a second to start."""
PARTS_AT_ONCE = 8
"""Parts that a process is sent at a time."""
MANY_REQUESTS = 16
"""Parts that are fetched at a time from an address, where waiting costs no CPU."""

Answer = TypeVar("Answer")
Each = Callable[..., Iterator[Any]]
"""`Crew.each`."""


class Crew:
    """Does work on each part of a corpus."""

    def __init__(self, parts: list[str], pool: Executor, folder: Path | None = None) -> None:
        """Takes a pool that is open.

        Args:
            parts: of `clips`, sorted.
            pool: of threads, or of processes.
            folder: where work is left for processes; None for threads.
        """
        self._parts, self._pool, self._folder = parts, pool, folder
        self._numbers = count()

    def each(self, work: Callable[..., Answer], *beside: Iterable) -> Iterator[Answer]:
        """What the work on each part gives, in their order.

        Args:
            work: takes the name of a part, then one value of each of `beside`; must pickle, as must its answer.
            beside: of each a value a part.

        Raises:
            RuntimeError: a process was killed; else whatever the work raises.
        """
        if self._folder is None:
            yield from self._pool.map(work, self._parts, *beside)
            return
        left = self._folder / str(next(self._numbers))
        left.write_bytes(pickle.dumps(work))  # read once a process: a block list may be long
        try:
            yield from self._pool.map(partial(_do, left), self._parts, *beside, chunksize=PARTS_AT_ONCE)
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a process that looked at parts was killed, perhaps for lack of memory; run the same command again"
            ) from error


@contextmanager
def crew(corpus: Corpus) -> Iterator[Crew]:
    """Those who work on the parts of `clips`, as long as they are needed."""
    parts, size = corpus.parts("clips"), len(os.sched_getaffinity(0))
    if not isinstance(corpus.root, Path):
        size = MANY_REQUESTS
    elif size > 1 and len(parts) >= MANY_PARTS:
        spawn = get_context("spawn")  # Arrow's threads must not be copied into them
        with (
            TemporaryDirectory(prefix="rushes-") as folder,
            ProcessPoolExecutor(size, spawn, initializer=_begin, initargs=(os.getpid(),)) as processes,
        ):
            yield Crew(parts, processes, Path(folder))
        return
    with ThreadPoolExecutor(size) as threads:
        yield Crew(parts, threads)


def _begin(parent_pid: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    die_with(parent_pid)
    pa.set_cpu_count(1)


def _do(left: Path, *of_part: object) -> Any:
    return _work(left)(*of_part)


@lru_cache(maxsize=1)
def _work(left: Path) -> Callable:
    return pickle.loads(left.read_bytes())
