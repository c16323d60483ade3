"""What ranks of a distributed run tell each other; without one, a single rank."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def of_all_ranks(mine: Any) -> list[Any]:
    """What each rank has, in order of ranks; every rank calls it. Small objects alone: they are pickled."""
    if not (dist.is_available() and dist.is_initialized()):
        return [mine]
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, mine)
    return found


def summed(mine: Tensor) -> Tensor:
    """The sum over ranks, on the CPU; every rank calls it, with a tensor of the same shape and dtype."""
    if not (dist.is_available() and dist.is_initialized()):
        return mine.cpu()
    device = torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")
    total = mine.to(device, copy=True)
    dist.all_reduce(total)
    return total.cpu()
