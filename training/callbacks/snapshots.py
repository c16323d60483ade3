"""Averages as they were on the way, from which any length can be put together afterwards."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from training.callbacks.look import Look
from training.module import StageModule
from training.post_hoc import write_snapshot
from training.power_ema import PowerEma
from training.sharding import whole


@dataclass
class Snapshots(Look):
    """Keeps the averages of `model.ema_sigma_rel`; see `post_hoc.py`."""

    every: int
    folder: Path

    def on_train_batch_end(self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int):  # type: ignore[override]
        """Writes when it is time."""
        if not self.is_due(pl_module, batch_idx, self.every):
            return
        for ema in pl_module.ema.by_length.values():
            if isinstance(ema, PowerEma):
                state = whole(ema.state_dict())
                if trainer.is_global_zero:
                    write_snapshot(self.folder, state["average"], ema)
