import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from curation.engine import MAX_WORKER_DEATHS, Counts, Engine, PartTask, PartWorker, stop_ray


@dataclass(frozen=True)
class Write(PartTask):
    folder: Path
    fault: str = ""
    num_cpus: float = 1
    num_gpus: float = 0

    def build(self) -> PartWorker:
        return WriteWorker(self)


class WriteWorker(PartWorker):
    def __init__(self, task: Write) -> None:
        self.task = task

    def run(self, part: str) -> Counts:
        tried = self.task.folder / f"{part}.tried"
        if part == "p3" and (self.task.fault == "always" or (self.task.fault == "once" and not tried.exists())):
            tried.touch()
            os._exit(9)
        if part == "p3" and self.task.fault == "raise":
            raise ValueError("p3 is wrong")
        (self.task.folder / part).write_text(part)
        return {"parts": 1}


PARTS = [f"p{k}" for k in range(6)]


def run(tmp_path, kind, fault=""):
    done = []
    Engine(kind, 2, tmp_path / "journal").run(
        "test", Write(tmp_path, fault), PARTS, lambda part, counts: done.append(part)
    )
    return sorted(done)


@pytest.fixture(scope="module")
def ray():
    yield
    stop_ray()


@pytest.mark.parametrize("kind", ["local", "ray"])
def test_every_part_is_done_once(tmp_path, kind, ray):
    assert run(tmp_path, kind) == PARTS
    assert all((tmp_path / part).read_text() == part for part in PARTS)
    assert len((tmp_path / "journal/parts.jsonl").read_text().splitlines()) == len(PARTS)


@pytest.mark.parametrize("kind", ["local", "ray"])
def test_what_a_part_raises_reaches_the_caller(tmp_path, kind, ray):
    with pytest.raises(ValueError, match="p3 is wrong"):
        run(tmp_path, kind, "raise")


def test_a_worker_that_dies_costs_no_part(tmp_path, ray):
    assert run(tmp_path, "ray", "once") == PARTS


def test_a_part_that_kills_its_workers_is_named(tmp_path, ray):
    with pytest.raises(RuntimeError, match="p3: its worker died"):
        run(tmp_path, "ray", "always")


def never(part, counts):
    raise AssertionError(f"{part} was done")


def test_a_worker_that_no_machine_can_hold_is_refused_at_once(tmp_path, ray):
    task = Write(tmp_path, num_cpus=1000, num_gpus=3)
    words = r"a worker of pack hq needs 1000 CPUs and 3 GPUs; this cluster's largest node has \d+ and \d+; lower"
    with pytest.raises(ValueError, match=words):
        Engine("ray", None, tmp_path / "journal").run("pack hq", task, PARTS, never)


class Unloadable(Write):
    def __reduce__(self):
        return exec, ("raise ModuleNotFoundError('no module named zebra')",)


def test_a_worker_that_cannot_be_started_is_told_at_once(tmp_path, ray, caplog):
    with pytest.raises(RuntimeError, match=r"a worker of test cannot be started: .*no module named zebra"):
        Engine("ray", 2, tmp_path / "journal").run("test", Unloadable(tmp_path), PARTS, never)
    assert "trying again" not in caplog.text


@pytest.mark.parametrize("kind", ["OutOfMemoryError", "NodeDiedError", "WorkerCrashedError", "ActorUnavailableError"])
def test_every_death_of_a_worker_costs_no_part(tmp_path, ray, monkeypatch, kind):
    import ray as library
    from ray import exceptions

    made = {"WorkerCrashedError": lambda: exceptions.WorkerCrashedError()}
    made["ActorUnavailableError"] = lambda: exceptions.ActorUnavailableError("gone", None)
    get, deaths = library.get, []

    def dying(answer, timeout=None):
        if not deaths:
            deaths.append(kind)
            raise made.get(kind, lambda: getattr(exceptions, kind)("gone"))()
        return get(answer, timeout=timeout)

    monkeypatch.setattr(library, "get", dying)
    assert run(tmp_path, "ray") == PARTS and deaths


@pytest.mark.parametrize("lost", [True, False])
def test_the_loss_of_a_node_is_no_try_of_the_part(tmp_path, ray, monkeypatch, lost):
    import ray as library
    from ray.exceptions import RayActorError

    get, deaths = library.get, []

    def dying(answer, timeout=None):
        if not lost or len(deaths) < 3 * MAX_WORKER_DEATHS:  # looks take some of them
            deaths.append(answer)
            raise RayActorError(error_msg=f"It died because its {'node' if lost else 'worker'} has died.")
        return get(answer, timeout=timeout)

    monkeypatch.setattr(library, "get", dying)
    engine, parts = Engine("ray", 1, tmp_path / "journal"), ["p0"]
    if lost:
        engine.run("test", Write(tmp_path), parts, lambda part, counts: None)
    else:
        with pytest.raises(RuntimeError, match="p0: its worker died 3 times"):
            engine.run("test", Write(tmp_path), parts, never)


class Warn(Write):
    def build(self) -> PartWorker:
        return WarningWorker(self)


class WarningWorker(WriteWorker):
    def run(self, part: str) -> Counts:
        logging.getLogger("curation.test").warning("%s is odd", part)
        return super().run(part)


@pytest.mark.parametrize("kind", ["local", "ray"])
def test_what_workers_warn_of_is_seen_where_the_driver_runs(tmp_path, ray, kind, caplog):
    Engine(kind, 2, tmp_path / "journal").run("test", Warn(tmp_path), PARTS, lambda part, counts: None)
    assert sorted(record.getMessage() for record in caplog.records) == [f"{part} is odd" for part in PARTS]


class WarnAndEndWhenLookedAt(Write):
    def build(self) -> PartWorker:
        return LookedAtWorker(self)


class LookedAtWorker(WarningWorker):
    looked = threading.Event()

    def run(self, part: str) -> Counts:
        counts = super().run(part)
        assert self.looked.wait(30)
        return counts

    def so_far(self) -> Counts:
        threading.Timer(0.05, self.looked.set).start()  # when this look has taken the warning, before the next is due
        return {}


def test_what_the_last_look_took_is_told(tmp_path, ray, caplog):
    Engine("ray", 1, tmp_path / "journal").run(
        "test", WarnAndEndWhenLookedAt(tmp_path), ["p0"], lambda part, counts: None
    )
    assert [record.getMessage() for record in caplog.records] == ["p0 is odd"]


@pytest.mark.parametrize("kind", ["local", "ray"])
def test_no_workers_are_refused(tmp_path, kind):
    with pytest.raises(ValueError, match="workers: 0"):
        Engine(kind, 0, tmp_path / "journal").run("test", Write(tmp_path), [], never)
