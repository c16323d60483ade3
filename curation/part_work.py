"""What a job does to a part, and the process that does one part after the other. Where that runs, the engine knows."""

import logging
import pickle
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass

Counts = dict[str, float]

MAX_WARNINGS = 1000  # of one worker, between two looks


class PartWorker(ABC):
    """Does one job's work on one part at a time; keeps models and child processes between parts."""

    @abstractmethod
    def run(self, part: str) -> Counts:
        """Does the part, writes its files, and returns what it counted."""

    def so_far(self) -> Counts:
        """What the part at work has counted up to now; asked from another thread."""
        return {}

    def close(self) -> None:
        """Ends what the worker keeps open."""
        return None


class PartTask(ABC):
    """Picklable description of a job's work; a frozen dataclass."""

    num_cpus: float = 1
    num_gpus: float = 0
    """Of one worker; a share is the least, and grows where fewer workers are to be spread over the GPUs."""
    gpu_is_optional: bool = False
    """Whether it does without where no machine has one."""
    memory_bytes: int = 0
    """What the child of one worker may take at most."""

    @abstractmethod
    def build(self) -> PartWorker:
        """Makes the worker, in the process where it will run."""


@dataclass(frozen=True)
class Warned:
    """A warning of a worker, on its way to whoever can read it."""

    logger: str
    level: int
    text: str

    def repeat(self) -> None:
        """Logs it in this process."""
        logging.getLogger(self.logger).log(self.level, "%s", self.text)


@dataclass(frozen=True)
class Look:
    """How a worker fares: its part, what that has counted so far, and what it warned of since the last look."""

    part: str | None
    counts: Counts
    warnings: list[Warned]


@dataclass(frozen=True)
class PartDone:
    """What a part counted, how long it took and where, and the last warnings."""

    counts: Counts
    seconds: float
    host: str
    warnings: list[Warned]


class Workplace:
    """A process in which a worker does parts: built at its first part, asked from another thread how it fares."""

    def __init__(self, task: PartTask) -> None:
        self._task = task
        self._worker: PartWorker | None = None
        self._part: str | None = None
        self._kept = _KeptWarnings()

    def run(self, part: str) -> PartDone:
        """Does a part."""
        start = time.monotonic()
        self._worker = self._worker or self._task.build()
        self._part = part
        try:
            counts = self._worker.run(part)
        finally:
            self._part = None
        return PartDone(counts, time.monotonic() - start, socket.gethostname(), self._kept.take())

    def look(self) -> Look:
        """How it fares."""
        part, worker = self._part, self._worker
        return Look(part, worker.so_far() if worker and part else {}, self._kept.take())

    def close(self) -> None:
        """Ends the worker."""
        if self._worker is not None:
            self._worker.close()


class RemoteWorkplace(Workplace):
    """The same in another process: looks for modules where the driver does, and keeps its warnings for the driver."""

    def __init__(self, search_path: list[str], pickled_task: bytes) -> None:
        sys.path[:] = [*search_path, *(folder for folder in sys.path if folder not in search_path)]
        super().__init__(pickle.loads(pickled_task))
        logging.getLogger().addHandler(self._kept)


class _KeptWarnings(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._warnings: deque[Warned] = deque(maxlen=MAX_WARNINGS)

    def emit(self, record: logging.LogRecord) -> None:
        self._warnings.append(Warned(record.name, record.levelno, record.getMessage()))

    def take(self) -> list[Warned]:
        return [self._warnings.popleft() for _ in range(len(self._warnings))]
