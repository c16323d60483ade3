"""Runs a job's work over parts: in this process, or on Ray actors. All of Ray is in this file.

The work is the same object on both, reads and writes files, and returns counts; so both give the same tables. A part
whose worker dies is given to a new one; a part that raises stops the job, since bad videos are handled inside the work.
"""

import json
import logging
import os
import pickle
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

logger = logging.getLogger(__name__)

Counts = dict[str, float]
MAX_WORKER_DEATHS = 2
PROJECT = Path(__file__).resolve().parent.parent


class PartWorker(ABC):
    """Does one job's work on one part at a time; keeps models and child processes between parts."""

    @abstractmethod
    def run(self, part: str) -> Counts:
        """Does the part, writes its files, and returns what it counted."""

    def close(self) -> None:
        """Ends what the worker keeps open."""
        return None


class PartTask(ABC):
    """Picklable description of a job's work; a frozen dataclass."""

    num_cpus: float = 1
    num_gpus: float = 0

    @abstractmethod
    def build(self) -> PartWorker:
        """Makes the worker, in the process where it will run."""


@dataclass(frozen=True)
class Engine:
    """Where work runs."""

    kind: Literal["ray", "local"]
    workers: int | None
    journal: Path

    def run(self, job: str, task: PartTask, parts: Sequence[str], done: Callable[[str, Counts], None]) -> None:
        """Does every part; calls `done(part, counts)` as each one ends, in any order.

        Raises:
            ValueError: `workers` is below 1, or no machine has what a worker needs.
            RuntimeError: a part's worker died more than twice, or a worker cannot be started; names the part or job.
            Exception: whatever a part raised.
        """
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers: {self.workers} is not at least 1; leave it out to take as many as fit")
        if not parts:
            return

        def finished(part: str, answer: tuple[Counts, float, str]) -> None:
            counts, seconds, host = answer
            self._note(job=job, part=part, seconds=round(seconds, 3), host=host, counts=counts)
            done(part, counts)

        run = _run_on_ray if self.kind == "ray" else _run_here
        run(job, task, parts, self.workers, finished)

    def _note(self, **entry: object) -> None:
        """Attempts, times and hosts go here and nowhere else: tables stay equal from run to run."""
        self.journal.mkdir(parents=True, exist_ok=True)
        with (self.journal / "parts.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"time": time.time(), **entry}) + "\n")


class _Timed:
    """A worker that tells how long a part took and where."""

    def __init__(self, task: PartTask) -> None:
        self._task = task
        self._worker: PartWorker | None = None

    def run(self, part: str) -> tuple[Counts, float, str]:
        start = time.monotonic()
        self._worker = self._worker or self._task.build()
        counts = self._worker.run(part)
        return counts, time.monotonic() - start, socket.gethostname()

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()


class _RemoteTimed(_Timed):
    """The same in a Ray actor, which looks for modules where the driver does before it unpickles the task."""

    def __init__(self, search_path: list[str], pickled_task: bytes) -> None:
        sys.path[:] = [*search_path, *(folder for folder in sys.path if folder not in search_path)]
        super().__init__(pickle.loads(pickled_task))


def _run_here(
    job: str, task: PartTask, parts: Sequence[str], workers: int | None, finished: Callable[[str, Any], None]
) -> None:
    worker = _Timed(task)
    try:
        for part in parts:
            finished(part, worker.run(part))
    finally:
        worker.close()


def _run_on_ray(
    job: str, task: PartTask, parts: Sequence[str], workers: int | None, finished: Callable[[str, Any], None]
) -> None:
    import ray
    from ray.exceptions import NodeDiedError, OutOfMemoryError, RayActorError, RayTaskError, WorkerCrashedError

    start_ray()
    _check_fits(job, task)
    Actor = ray.remote(num_cpus=task.num_cpus, num_gpus=task.num_gpus)(_RemoteTimed)
    new_actor = partial(Actor.remote, sys.path, pickle.dumps(task))
    idle = [new_actor() for _ in range(_pool_size(task, workers, len(parts)))]
    waiting, deaths, running = list(reversed(parts)), dict.fromkeys(parts, 0), {}
    try:
        while waiting or running:
            while waiting and idle:
                part, actor = waiting.pop(), idle.pop()
                running[actor.run.remote(part)] = (part, actor)
            answer = ray.wait(list(running), num_returns=1)[0][0]
            part, actor = running.pop(answer)
            try:
                finished(part, ray.get(answer))
                idle.append(actor)
            except RayTaskError as error:
                raise error.cause from None  # as in one process; Ray's own words would hide it
            except (RayActorError, OutOfMemoryError, NodeDiedError, WorkerCrashedError) as error:
                deaths[part] += 1
                _refuse_last_death(job, part, deaths[part], error)
                ray.kill(actor)  # one that is merely out of reach must not go on with the part
                waiting.append(part)
                idle.append(new_actor())
    finally:
        _end(idle + [actor for _, actor in running.values()])


def _refuse_last_death(job: str, part: str, deaths: int, error: Exception) -> None:
    """Raises RuntimeError where a new worker would die as well: after many deaths, or if it was never born."""
    if getattr(error, "actor_init_failed", False):
        raise RuntimeError(f"a worker of {job} cannot be started: {str(error).strip().splitlines()[-1]}") from error
    if deaths > MAX_WORKER_DEATHS:
        raise RuntimeError(f"{part}: its worker died {deaths} times ({error})") from error
    logger.warning("%s: its worker died; trying again on a new one", part)


def _check_fits(job: str, task: PartTask) -> None:
    """Raises ValueError where no machine could hold a worker: Ray would wait for one without end or word."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    have = [(node.get("CPU", 0), node.get("GPU", 0)) for node in nodes]
    if not any(cpus >= task.num_cpus and gpus >= task.num_gpus for cpus, gpus in have):
        cpus, gpus = max(have, key=lambda node: (min(node[1], task.num_gpus), node[0]), default=(0, 0))
        raise ValueError(
            f"a worker of {job} needs {task.num_cpus:g} CPUs and {task.num_gpus:g} GPUs; this cluster's largest node "
            f"has {cpus:g} and {gpus:g}; lower `resources` / `encoder_threads` or join a cluster with RAY_ADDRESS"
        )


def _pool_size(task: PartTask, workers: int | None, num_parts: int) -> int:
    """As many workers as asked for, else as the cluster can hold; never more than parts."""
    import ray

    if workers is None:
        have = ray.cluster_resources()
        workers = int(have.get("CPU", 1) // task.num_cpus) if task.num_cpus else os.cpu_count() or 1
        if task.num_gpus:
            workers = min(workers, int(have.get("GPU", 0) // task.num_gpus))
    return max(1, min(workers, num_parts))


def _end(actors: Sequence[Any]) -> None:
    import ray

    for actor in actors:
        ray.kill(actor)


def start_ray() -> None:
    """Starts Ray on this machine, or joins the cluster that `RAY_ADDRESS` names; does nothing if it runs."""
    import ray

    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    logging.getLogger("ray").setLevel(logging.ERROR)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if os.environ.get("RAY_ADDRESS"):
        options["runtime_env"] = {"py_modules": [str(PROJECT / "curation"), str(PROJECT / "shards")]}
    else:
        options |= {"num_cpus": os.cpu_count(), "include_dashboard": False}
    ray.init(**options)


def stop_ray() -> None:
    """Leaves Ray; ends it where this process started it."""
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()
