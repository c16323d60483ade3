"""Loss, gradient norm, learning rate and speed."""

from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import torch
from lightning.pytorch import Trainer

from training.callbacks.guard import GradientGuard
from training.callbacks.look import Look, log
from training.module import StageModule
from training.screen import Screen


@dataclass
class Numbers(Look):
    """Loss, gradient norm, learning rate and speed: to TensorBoard and onto the screen."""

    every: int
    screen: Screen
    name: str
    guard: GradientGuard
    _losses: list[torch.Tensor] = field(default_factory=list)
    _words: str = "..."

    def on_train_start(self, trainer: Trainer, pl_module: StageModule) -> None:  # type: ignore[override]
        """Begins the bar."""
        self.screen.begin(self.name, self.total, pl_module.samples_seen)
        self._since = (monotonic(), pl_module.samples_seen)

    def on_train_batch_end(self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int):  # type: ignore[override]
        """Collects; writes when it is time."""
        self._losses.append(outputs["loss"] * trainer.accumulate_grad_batches)  # Lightning gives a step's share
        seen = pl_module.samples_seen
        if self.is_due(pl_module, batch_idx, self.every):
            loss = trainer.strategy.reduce(torch.stack(self._losses).mean(), reduce_op="mean")
            then, before = self._since
            speed = (seen - before) / max(monotonic() - then, 1e-9)
            numbers = {
                "loss": float(loss),
                "gradient_norm": self.guard.norm,
                "learning_rate": pl_module.adam.rate(seen),
                "samples_a_second": speed,
            }
            log(trainer, pl_module, numbers)
            self._words = f"loss {numbers['loss']:.4f}, {speed:.0f} samples/s"
            self._losses, self._since = [], (monotonic(), seen)
        self.screen.follow(seen, self._words)

    def teardown(self, trainer: Trainer, pl_module: StageModule, stage: str) -> None:  # type: ignore[override]
        """Takes the bar away."""
        self.screen.end()
