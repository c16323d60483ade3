"""Runs a job's work over parts: in this process, or on Ray actors. All of Ray is in this file.

The work is the same object on both, reads and writes files, and returns counts; so both give the same tables. A part
whose worker dies is given to a new one; a part that raises stops the job, since bad videos are handled inside the work.
"""

import json
import logging
import os
import pickle
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from curation.part_work import Counts, Look, PartDone, PartTask, PartWorker, RemoteWorkplace, Workplace
from curation.room import Room, find_room, this_machine, warn_of_memory
from shards.places import Place
from shards.store import note_line

__all__ = ["Counts", "Engine", "PartTask", "PartWorker", "start_ray", "stop_ray"]

logger = logging.getLogger(__name__)

MAX_WORKER_DEATHS = 2
LOOK_EVERY_S = 1.0
LOST_NODE = "node has died"  # Ray's words in the error of an actor that was lost with its machine
PROJECT = Path(__file__).resolve().parent.parent

Tell = Callable[[str, Counts], None]


def _nobody(part: str, counts: Counts) -> None:
    return None


@dataclass(frozen=True)
class Engine:
    """Where work runs."""

    kind: Literal["ray", "local"]
    workers: int | None
    journal: Place

    def run(self, job: str, task: PartTask, parts: Sequence[str], done: Tell, going: Tell = _nobody) -> None:
        """Does every part; tells `done(part, counts)` as each one ends, in any order.

        Args:
            job: its name, for the journal and for errors.
            task: the work.
            parts: their names.
            done: told of each part once.
            going: told now and then what a part has counted that is not done yet.

        Raises:
            ValueError: `workers` is below 1, or no machine has what a worker needs.
            RuntimeError: a part's worker died more than twice, or a worker cannot be started; names the part or job.
            Exception: whatever a part raised.
        """
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers: {self.workers} is not at least 1; leave it out to take as many as fit")
        if not parts:
            return

        def finished(part: str, answer: PartDone) -> None:
            for warning in answer.warnings:
                warning.repeat()
            self._note(job=job, part=part, seconds=round(answer.seconds, 3), host=answer.host, counts=answer.counts)
            done(part, answer.counts)

        if self.kind == "ray":
            _run_on_ray(job, task, parts, self.workers, finished, going)
        else:
            warn_of_memory(job, task, 1, this_machine())
            _run_here(task, parts, finished, going)

    def _note(self, **entry: object) -> None:
        """Attempts, times and hosts go here and nowhere else: tables stay equal from run to run."""
        note_line(self.journal / "parts.jsonl", json.dumps({"time": time.time(), **entry}))


Finished = Callable[[str, PartDone], None]


def _run_here(task: PartTask, parts: Sequence[str], finished: Finished, going: Tell) -> None:
    workplace, lock = Workplace(task), threading.Lock()

    def look() -> None:
        with lock:  # a part that is done is never told of as going
            _tell(workplace.look(), going)

    try:
        with _every(LOOK_EVERY_S, look):
            for part in parts:
                answer = workplace.run(part)
                with lock:
                    finished(part, answer)
    finally:
        workplace.close()


@contextmanager
def _every(seconds: float, do: Callable[[], None]) -> Iterator[None]:
    """Does something now and then in a thread of its own, until the block ends."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            do()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _tell(look: Look, going: Tell) -> None:
    for warning in look.warnings:
        warning.repeat()
    if look.part is not None:
        going(look.part, look.counts)


def _run_on_ray(
    job: str, task: PartTask, parts: Sequence[str], workers: int | None, finished: Finished, going: Tell
) -> None:
    import ray

    start_ray()
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = find_room(job, task, workers, len(parts), machines)
    warn_of_memory(job, task, room.workers, machines)
    crew = _Crew(job, task, parts, room)
    try:
        while crew.has_work():
            for part, answer in crew.wait():
                finished(part, answer)
            crew.look(going)
    finally:
        crew.end()


class _Crew:
    """Actors, each at one part at a time, and the parts that wait for one."""

    def __init__(self, job: str, task: PartTask, parts: Sequence[str], room: Room) -> None:
        import ray

        self._job, self._waiting, self._deaths = job, list(reversed(parts)), Counter[str]()
        # Looks have a thread of their own, so that they are answered while a part is at work.
        needs: Any = {"num_cpus": task.num_cpus, "num_gpus": room.num_gpus, "concurrency_groups": {"looks": 1}}
        self._new_actor = partial(ray.remote(**needs)(RemoteWorkplace).remote, sys.path, pickle.dumps(task))
        self._idle = [self._new_actor() for _ in range(room.workers)]
        self._running: dict[Any, tuple[str, Any]] = {}
        self._asked: dict[Any, Any] = {}
        self._looked = time.monotonic()

    def has_work(self) -> bool:
        """Whether a part is not done yet."""
        return bool(self._waiting or self._running)

    def wait(self) -> Iterator[tuple[str, PartDone]]:
        """Gives out parts, waits a moment for one to end, and gives its answer."""
        import ray

        while self._waiting and self._idle:
            part, actor = self._waiting.pop(), self._idle.pop()
            self._running[actor.run.remote(part)] = (part, actor)
        self._dismiss_idle()
        for answer in ray.wait(list(self._running), num_returns=1, timeout=LOOK_EVERY_S)[0]:
            part, actor = self._running.pop(answer)
            done = self._take(part, actor, answer)
            if done is not None:
                self._hear_out(actor)
                self._idle.append(actor)
                yield part, done

    def _take(self, part: str, actor: Any, answer: Any) -> PartDone | None:
        """What an actor answered; None where it died, and the part waits for another one."""
        import ray
        from ray.exceptions import NodeDiedError, OutOfMemoryError, RayActorError, RayTaskError, WorkerCrashedError

        try:
            return ray.get(answer)
        except RayTaskError as error:
            raise error.cause from None  # as in one process; Ray's own words would hide it
        except (RayActorError, OutOfMemoryError, NodeDiedError, WorkerCrashedError) as error:
            if not isinstance(error, NodeDiedError) and LOST_NODE not in str(error):  # the part has no share in that
                self._deaths[part] += 1
            _refuse_last_death(self._job, part, self._deaths[part], error)
            ray.kill(actor)  # one that is merely out of reach must not go on with the part
            self._waiting.append(part)
            self._idle.append(self._new_actor())
            return None

    def _hear_out(self, actor: Any) -> None:
        """Repeats what is in a look still on its way: warnings that it took are not in the part's answer."""
        import ray
        from ray.exceptions import RayError

        for look in [look for look, asked in self._asked.items() if asked is actor]:
            del self._asked[look]
            with suppress(RayError):
                _tell(ray.get(look, timeout=LOOK_EVERY_S), _nobody)

    def _dismiss_idle(self) -> None:
        """Ends who has nothing left to do: a newcomer may need the room, on what is left of a cluster."""
        if not self._waiting:
            _end(self._idle)
            self._idle.clear()

    def look(self, going: Tell) -> None:
        """Asks all who are at work how they fare, and tells what those answered who were asked before."""
        import ray
        from ray.exceptions import RayError

        if time.monotonic() - self._looked < LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        answered = ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0)[0] if self._asked else []
        at_work = {part for part, _ in self._running.values()}
        for answer in answered:
            del self._asked[answer]
            with suppress(RayError):  # its death is found by the part
                look = ray.get(answer)
                _tell(look, going if look.part in at_work else _nobody)
        for _, actor in self._running.values():
            if actor not in self._asked.values():
                self._asked[actor.look.options(concurrency_group="looks").remote()] = actor

    def end(self) -> None:
        """Ends all actors."""
        _end(self._idle + [actor for _, actor in self._running.values()])


def _refuse_last_death(job: str, part: str, deaths: int, error: Exception) -> None:
    """Raises RuntimeError where a new worker would die as well: after many deaths, or if it was never born."""
    if getattr(error, "actor_init_failed", False):
        raise RuntimeError(f"a worker of {job} cannot be started: {str(error).strip().splitlines()[-1]}") from error
    if deaths > MAX_WORKER_DEATHS:
        raise RuntimeError(f"{part}: its worker died {deaths} times ({error})") from error
    logger.warning("%s: its worker died; trying again on a new one", part)


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
        # told, since Ray would join whatever cluster was last started on this machine
        options |= {"address": "local", "num_cpus": os.cpu_count(), "include_dashboard": False}
    ray.init(**options)


def stop_ray() -> None:
    """Leaves Ray; ends it where this process started it."""
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()
