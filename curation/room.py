"""How many workers of a job there is room for, and what each takes of the machines; resources as Ray names them."""

import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curation.part_work import PartTask

logger = logging.getLogger(__name__)

GB = 2**30
STEPS = 10_000  # Ray counts in ten-thousandths

Machines = Sequence[Mapping[str, float]]
"""Of each machine: `CPU`, `GPU`, and bytes of `memory` and `object_store_memory`, which Ray sets apart."""


@dataclass(frozen=True)
class Room:
    """How many workers, and the GPUs that each one takes."""

    workers: int
    num_gpus: float


def find_room(job: str, task: PartTask, workers: int | None, num_parts: int, machines: Machines) -> Room:
    """As many workers as asked for, else as there is room for; never more than parts.

    Where they share GPUs, each takes as much as leaves room for all of them: Ray fills one GPU before the next, so that
    with smaller shares some would stay idle.

    Raises:
        ValueError: no machine can hold a worker: Ray would wait for one without end or word.
    """
    gpus = 0 if task.gpu_is_optional and not any(_gpus(m) for m in machines) else task.num_gpus
    room = [_fitting(task.num_cpus, gpus, machine) for machine in machines]
    if not any(room):
        _refuse(job, task.num_cpus, gpus, machines)
    size = max(1, min(workers or sum(room), num_parts))
    if 0 < gpus < 1:
        sharing = max(math.ceil(min(fit, size) / _gpus(m)) for fit, m in zip(room, machines, strict=True) if fit)
        gpus = max(gpus, STEPS // sharing / STEPS)
    return Room(size, gpus)


def _gpus(machine: Mapping[str, float]) -> float:
    return machine.get("GPU", 0)


def _fitting(num_cpus: float, num_gpus: float, machine: Mapping[str, float]) -> int:
    """Workers that a machine can hold; a share of a GPU lies on one GPU."""
    by_cpu = machine.get("CPU", 0) / num_cpus if num_cpus else os.cpu_count() or 1
    if not num_gpus:
        return math.floor(by_cpu)
    by_gpu = _gpus(machine) * math.floor(1 / num_gpus + 1e-6) if num_gpus < 1 else _gpus(machine) / num_gpus
    return math.floor(min(by_cpu, by_gpu))


def _refuse(job: str, num_cpus: float, num_gpus: float, machines: Machines) -> None:
    have = [(machine.get("CPU", 0), _gpus(machine)) for machine in machines]
    cpus, gpus = max(have, key=lambda node: (min(node[1], num_gpus), node[0]), default=(0, 0))
    raise ValueError(
        f"a worker of {job} needs {num_cpus:g} CPUs and {num_gpus:g} GPUs; this cluster's largest node has {cpus:g} "
        f"and {gpus:g}; lower `resources` / `encoder_threads`, choose `device: cpu`, or join a cluster with RAY_ADDRESS"
    )


def this_machine() -> Machines:
    """What this process may use."""
    return [{"CPU": os.cpu_count() or 1, "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")}]


def warn_of_memory(job: str, task: PartTask, workers: int, machines: Machines) -> None:
    """Says so where the limits of all workers together are above what there is; most videos stay far below a limit."""
    have = sum(machine.get("memory", 0) + machine.get("object_store_memory", 0) for machine in machines)
    if have and workers * task.memory_bytes > have:
        logger.warning(
            "%s: each of %d workers may take %.1f GB (split.limits.memory_bytes), and there are %.1f GB in all. "
            "If several videos take so much at once, the system kills processes, maybe others than ours: lower "
            "split.limits.memory_bytes to %.1f GB (%d), or `workers`",
            job,
            workers,
            task.memory_bytes / GB,
            have / GB,
            have / workers / GB,
            have // workers,
        )
