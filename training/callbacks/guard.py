"""Leaves out steps that would spoil the weights: of gradients that are not finite, or far larger than those before."""

from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from shards.store import write_json
from training.module import StageModule
from training.optimizer import learning
from training.screen import Screen
from training.stream import Batch

WINDOW, SETTLED = 100, 20
"""The usual norm is the median of the last so many steps that were taken, once there are a few."""


@dataclass
class GradientGuard(Callback):
    """Looks at the gradient of each step, all ranks together, before it is clipped."""

    path: Path
    """Where steps that were left out are listed: step, samples seen, norm, and keys of the first rank's samples."""
    screen: Screen
    most: int
    """With more of them the stage stops."""
    ratio: float = 0.0
    """A norm of more than so many times the usual one is left out too; 0 takes any that is finite."""
    norm: float = 0.0
    """Of the last step's gradient."""
    norms: list[float] = field(default_factory=list)
    """Of the last steps that were taken."""
    skipped: list[dict[str, Any]] = field(default_factory=list)
    _keys: list[str] = field(default_factory=list)

    def on_train_batch_start(self, trainer: Trainer, pl_module: StageModule, batch: Batch, batch_idx: int) -> None:  # type: ignore[override]
        """Notes whose gradient it will be."""
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self._keys = []
        self._keys += batch.keys

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: StageModule, optimizer: Any) -> None:  # type: ignore[override]
        """Takes the gradient away where the step is to be left out; AdamW then changes nothing at all.

        Raises:
            ValueError: too many steps were left out.
        """
        gradients = [weight.grad for weight in learning(optimizer) if weight.grad is not None]
        pl_module.gradient_norm = torch.nn.utils.get_total_norm(gradients)
        self.norm = float(pl_module.gradient_norm)
        pl_module.skips_step = not self._is_fine()
        if not pl_module.skips_step:
            self.norms = [*self.norms[1 - WINDOW :], self.norm]
            return
        optimizer.zero_grad(set_to_none=True)
        if not self._is_overflow(trainer):
            self._list(trainer, pl_module)

    def _is_fine(self) -> bool:
        is_settled = self.ratio and len(self.norms) >= SETTLED
        return isfinite(self.norm) and not (is_settled and self.norm > self.ratio * median(self.norms))

    def _is_overflow(self, trainer: Trainer) -> bool:
        """Whether the scale of the loss was too large for float16: its scaler lowers it and goes on, as it should."""
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        return scaler is not None and not isfinite(self.norm) and scaler.get_scale() > 1

    def _list(self, trainer: Trainer, module: StageModule) -> None:
        told = {"step": trainer.global_step, "samples": module.samples_seen, "gradient_norm": str(self.norm)}
        self.skipped.append(told | {"keys": list(self._keys)})
        if trainer.is_global_zero:
            write_json(self.path, self.skipped)
        what = (
            f"of norm {self.norm:.3g}, usual is {median(self.norms):.3g}"
            if isfinite(self.norm)
            else "that is not finite"
        )
        self.screen.say(f"step {trainer.global_step} left out: a gradient {what}; its samples are in {self.path}")
        if len(self.skipped) > self.most:
            raise ValueError(
                f"{len(self.skipped)} steps had to be left out, and at most {self.most} may be "
                f"(watch.max_skipped_steps, watch.max_skipped_share); see {self.path}. Lower "
                "model.optimizer.learning_rate, clip (trainer.gradient_clip_val), or go on in another precision "
                "(trainer.precision)"
            )

    def state_dict(self) -> dict[str, Any]:
        """What was met so far."""
        return {"norms": self.norms, "skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there."""
        self.norms, self.skipped = list(state_dict["norms"]), list(state_dict["skipped"])
