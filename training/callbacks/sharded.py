"""Training with weights, gradients, moments and averages in shards: `trainer.strategy: fsdp2`."""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch.strategies import ModelParallelStrategy, StrategyRegistry
from torch.optim import Optimizer

from training.sharding import like, whole


class Sharded(ModelParallelStrategy):
    """Lightning's strategy for FSDP2 over all ranks, whose checkpoints are those of any other strategy.

    So a stage may go on with another number of ranks, with DDP or with one. Lightning's own single file keys moments by
    the place of a parameter in the whole model, which is another one wherever a stage freezes some.
    """

    def __init__(self) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False)
        # of operations in place on what a block gives, which no block's successor does
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module")

    def setup_environment(self) -> None:
        """Lays all ranks out in one line."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()

    @property
    def lightning_restore_optimizer(self) -> bool:
        """Lightning hands moments to `load_optimizer_state_dict`, as it does for other strategies."""
        return True

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """All weights on the first rank."""
        assert self.model is not None
        return whole(self.model.state_dict())

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """All moments on the first rank."""
        return whole(optimizer.state_dict())

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Opens the file; tensors are read where they are needed."""
        return torch.load(checkpoint_path, map_location="cpu", mmap=True, weights_only=True)

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """Takes this rank's share of the weights."""
        assert self.lightning_module is not None
        now, stored = self.lightning_module.state_dict(), checkpoint["state_dict"]
        self.lightning_module.load_state_dict({name: like(stored[name], now[name]) for name in stored}, strict=strict)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Takes this rank's share of the moments."""
        for optimizer, stored in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            state = {
                index: {
                    name: like(value, parameters[index]) if value.shape == parameters[index].shape else value
                    for name, value in moments.items()
                }
                for index, moments in stored["state"].items()
            }
            optimizer.load_state_dict(stored | {"state": state})


StrategyRegistry.register("fsdp2", Sharded, description="FSDP2 over all ranks")
