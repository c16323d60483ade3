import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from curation.engine import Counts, Engine, PartTask, PartWorker, stop_ray


@dataclass(frozen=True)
class Write(PartTask):
    folder: Path
    fault: str = ""

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
