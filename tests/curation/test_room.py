import logging
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from curation.child import Child
from curation.config import LimitsConfig, PackConfig, SplitConfig
from curation.engine import Counts, Engine, PartTask, PartWorker, stop_ray
from curation.pack_worker import PackTask
from curation.room import GB, find_room, this_machine, warn_of_memory
from curation.score import ScoreTask
from curation.scorer import Resources
from curation.scorers.motion import Motion
from curation.scorers.openclip import OpenClip
from curation.split import SplitTask
from curation.splitters.adaptive import Adaptive
from curation.splitters.hybrid import Hybrid
from curation.splitters.transnet import TransNet
from curation.tables import Corpus


@dataclass(frozen=True)
class Need(PartTask):
    num_cpus: float = 1
    num_gpus: float = 0
    gpu_is_optional: bool = False
    memory_bytes: int = 0

    def build(self) -> PartWorker:
        raise AssertionError("planning starts no worker")


def machine(cpus: float, gpus: float = 0) -> dict[str, float]:
    return {"CPU": cpus} | ({"GPU": gpus} if gpus else {})


@pytest.mark.parametrize(
    ("need", "asked", "parts", "machines", "workers", "gpus"),
    [
        (Need(), None, 99, [machine(8)], 8, 0),
        (Need(), None, 3, [machine(8)], 3, 0),
        (Need(), 20, 99, [machine(8)], 20, 0),
        (Need(num_cpus=3), None, 99, [machine(8), machine(8)], 4, 0),
        (Need(num_cpus=3), None, 99, [machine(2), machine(4)], 1, 0),
        (Need(num_gpus=1), None, 99, [machine(8, 2)], 2, 1),
        (Need(num_gpus=2), None, 99, [machine(8, 5)], 2, 2),
        (Need(num_gpus=0.1), None, 99, [machine(16, 1)], 10, 0.1),
        (Need(num_gpus=0.6), None, 99, [machine(16, 2)], 2, 1),
        (Need(num_gpus=0.1), None, 99, [machine(8, 2)], 8, 0.25),
        (Need(num_gpus=0.1), None, 3, [machine(8, 2)], 3, 0.5),
        (Need(num_gpus=0.1), None, 1, [machine(8, 2)], 1, 1),
        (Need(num_gpus=0.1), None, 99, [machine(7, 1)], 7, 0.1428),
        (Need(num_gpus=0.1), None, 99, [machine(2, 1), machine(16, 2)], 18, 0.125),
        (Need(num_gpus=0.1, gpu_is_optional=True), None, 99, [machine(8)], 8, 0),
        (Need(num_gpus=0.1, gpu_is_optional=True), None, 99, [machine(8), machine(4, 1)], 4, 0.25),
    ],
)
def test_as_many_workers_as_fit_spread_over_all_gpus(need, asked, parts, machines, workers, gpus):
    room = find_room("split", need, asked, parts, machines)
    assert (room.workers, room.num_gpus) == (workers, pytest.approx(gpus))
    assert not 0 < gpus < 1 or gpus * round(1 / gpus) <= 1, "Ray would leave one out"


def test_a_gpu_that_no_machine_has_is_told():
    words = "a worker of split needs 1 CPUs and 0.1 GPUs; .* has 8 and 0; .*`device: cpu`"
    with pytest.raises(ValueError, match=words):
        find_room("split", Need(num_gpus=0.1), None, 9, [machine(8)])


@pytest.mark.parametrize(
    ("splitter", "gpus", "is_optional"),
    [
        (Adaptive(), 0, False),
        (Hybrid(), 0.1, True),
        (TransNet(), 0.1, True),
        (Hybrid(device="cuda"), 0.1, False),
        (TransNet(device="cpu"), 0, False),
    ],
)
def test_split_asks_for_a_gpu_where_its_splitter_takes_one(splitter, gpus, is_optional):
    task = SplitTask(Corpus(Path()), SplitConfig(splitter=splitter), {})
    assert (task.num_gpus, task.gpu_is_optional) == (gpus, is_optional)
    assert SplitTask(Corpus(Path()), SplitConfig(splitter=TransNet(), gpu_share=0.5), {}).num_gpus == 0.5
    with pytest.raises(ValueError, match=r"split\.gpu_share"):
        SplitConfig(gpu_share=0)


@pytest.mark.parametrize(
    ("device", "gpus", "taken"), [("cpu", 0, 0), ("cuda", 0, 1), ("cuda", 0.5, 0.5), ("cpu", 1, 1)]
)
def test_scorers_on_a_gpu_ask_for_one(device, gpus, taken):
    resources = Resources(gpus=gpus)
    scorers = {"motion": Motion(), "openclip": OpenClip(model="m", device=device, resources=resources)}
    task = ScoreTask(Corpus(Path()), scorers, resources)
    assert (task.num_gpus, task.gpu_is_optional) == (taken, device == "cpu" and not gpus)


@dataclass(frozen=True)
class Look(Need):
    """Writes which GPU the child of its worker sees."""

    folder: Path = Path()

    def build(self) -> PartWorker:
        return LookWorker(self.folder)


class LookWorker(PartWorker):
    def __init__(self, folder: Path) -> None:
        self._folder, self._child = folder, Child(60.0)

    def run(self, part: str) -> Counts:
        seen = self._child.call(os.getenv, "CUDA_VISIBLE_DEVICES")
        (self._folder / f"{os.getpid()}").write_text(str(seen))
        return {"parts": 1}

    def close(self) -> None:
        self._child.close()


@pytest.fixture
def two_gpus():
    import ray

    stop_ray()
    machine = {"address": "local", "num_cpus": 2, "num_gpus": 2, "include_dashboard": False}
    ray.init(**machine, log_to_driver=False, logging_level=logging.ERROR)
    yield
    stop_ray()


def test_workers_on_ray_are_spread_over_the_gpus_and_their_children_see_one_each(tmp_path, two_gpus):
    task = Look(num_gpus=0.1, gpu_is_optional=True, folder=tmp_path)
    Engine("ray", None, tmp_path / "journal").run("split", task, ["p0", "p1"], lambda part, counts: None)
    assert sorted(path.read_text() for path in tmp_path.glob("[0-9]*")) == ["0", "1"]


def test_limits_of_memory_above_what_there_is_are_warned_of(caplog):
    task = SplitTask(Corpus(Path()), SplitConfig(limits=LimitsConfig(memory_bytes=3 * GB)), {})
    assert PackTask(Corpus(Path()), PackConfig(), "hq", task.config.limits).memory_bytes == 3 * GB
    machines = [{"memory": 6 * GB, "object_store_memory": 2 * GB}, {"memory": 4 * GB}]
    warn_of_memory("split", task, 4, machines)
    assert not caplog.text
    warn_of_memory("split", task, 5, machines)
    told = caplog.text
    assert "5 workers may take 3.0 GB (split.limits.memory_bytes), and there are 12.0 GB in all" in told
    assert f"to 2.4 GB ({12 * GB // 5}), or `workers`" in told


@pytest.mark.parametrize("kind", ["local", "ray"])
def test_memory_is_looked_at_before_work_starts(tmp_path, caplog, kind, request):
    if kind == "ray":
        request.getfixturevalue("two_gpus")
    task = Look(memory_bytes=2**50, folder=tmp_path)
    Engine(kind, None, tmp_path / "journal").run("split", task, ["p0"], lambda part, counts: None)
    assert "each of 1 workers may take 1048576.0 GB" in caplog.text
    assert this_machine()[0]["memory"] > 2**28
