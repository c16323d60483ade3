"""The loss on samples that no stage trains on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning.pytorch import Trainer

from training.callbacks.look import Look, log
from training.data import StageData
from training.module import StageModule
from training.screen import Screen
from training.stream import Batch


@dataclass
class HeldOutLoss(Look):
    """The loss of the averaged weights on samples that no stage trains on, at fixed noise levels and noise."""

    every: int
    data: StageData
    screen: Screen
    history: list[dict[str, float]] = field(default_factory=list)
    """`samples` seen, `loss` and `num_held_out`, the samples that it is of, in order."""

    def on_train_start(self, trainer: Trainer, pl_module: StageModule) -> None:  # type: ignore[override]
        """Measures before the first step."""
        if trainer.global_step == 0:
            self._measure(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int):  # type: ignore[override]
        """Measures when it is time."""
        if self.is_due(pl_module, batch_idx, self.every):
            self._measure(trainer, pl_module)

    def _measure(self, trainer: Trainer, module: StageModule) -> None:
        losses = torch.zeros(2, dtype=torch.float64, device=module.device)  # sum, number
        with module.averaged():
            for batch, counts in self._batches(trainer, module.is_sharded):
                loss = module.held_out_loss(batch.to(module.device)).double()
                losses += counts * torch.stack([loss.sum(), loss.new_tensor(len(loss))])
        total, number = trainer.strategy.reduce(losses, reduce_op="sum").tolist()
        if number:
            told = {"samples": module.samples_seen, "loss": total / number, "num_held_out": round(number)}
            self.history.append(told)
            log(trainer, module, {"held_out_loss": total / number})
            left_out = self.data.num_held_out_there - round(number)
            lacks = f", {left_out} of its samples could not be read" if left_out else ""
            self.screen.say(f"held-out loss {total / number:.4f} after {module.samples_seen:,} samples{lacks}")

    def _batches(self, trainer: Trainer, in_step: bool) -> Iterator[tuple[Batch, bool]]:
        """This rank's batches, and whether they count.

        Args:
            trainer: with the ranks.
            in_step: as many on each rank; one that has no more repeats its last, or the first of all, uncounted.
        """
        batches = self.data.held_out_batches(trainer.global_rank, trainer.world_size)
        if not in_step:
            yield from ((batch, True) for batch in batches)
            return
        spare = next(self.data.held_out_batches(), None)
        while trainer.strategy.reduce_boolean_decision((batch := next(batches, None)) is not None, all=False):
            spare = batch or spare
            assert spare is not None, "some rank has a batch, so the set has one"
            yield spare, batch is not None

    def state_dict(self) -> dict[str, Any]:
        """What was measured so far."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there."""
        self.history = list(state_dict["history"])
