"""Weights that lie in shards on several ranks (FSDP2: PyTorch's `fully_shard`), and as wholes in files.

What is not sharded passes through as it is, so that whoever calls need not know.
"""

from typing import Any

import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from training.denoisers.denoiser import Denoiser


def shard(denoiser: Denoiser, mesh: DeviceMesh) -> None:
    """Leaves a share of each parameter on each rank; forward and backward gather one block at a time.

    Every forward is one of all ranks at once from then on.
    """
    for block in denoiser.blocks():
        fully_shard(block, mesh=mesh)
    fully_shard(denoiser, mesh=mesh, reshard_after_forward=True)


def local(value: Tensor) -> Tensor:
    """The share of this rank, in the same memory."""
    return value.to_local() if isinstance(value, DTensor) else value


def whole(value: Any) -> Any:
    """A sharded tensor as a whole one on the CPU of the first rank, empty elsewhere; dictionaries and lists likewise.

    All ranks call it.
    """
    if isinstance(value, dict):
        return {key: whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [whole(each) for each in value]
    if not isinstance(value, DTensor):
        return value
    full = value.full_tensor()
    return full.cpu() if dist.get_rank() == 0 else full.new_empty(0)


def like(value: Tensor, other: Tensor) -> Tensor:
    """A copy of a whole tensor, on the device of another one and sharded as that one is."""
    if not isinstance(other, DTensor):
        return value.to(other.device, copy=True)
    there = value.to(other.device)
    return distribute_tensor(there, other.device_mesh, other.placements, src_data_rank=None)
