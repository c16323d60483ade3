"""Samples that could not be read on the way."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer

from shards.store import write_json
from training.module import StageModule
from training.screen import Screen
from training.stream import Batch


@dataclass
class Failures(Callback):
    """Collects the samples that could not be read, with reasons, in `failed.json`, of further ranks `failed-<rank>`."""

    folder: Path
    screen: Screen
    most: int
    """With more of them the stage stops."""

    reasons: dict[str, str] = field(default_factory=dict)
    """Reason by key."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Batch, *_: Any):  # type: ignore[override]
        """Writes those that are new.

        Raises:
            ValueError: there are too many.
        """
        new = {key: reason for key, reason in batch.failures if key not in self.reasons}
        if new:
            self.reasons |= new
            write_json(self._path(trainer), self.reasons)
            for key, reason in new.items():
                self.screen.say(f"sample {key} cannot be read and was passed over: {reason}")
        if len(self.reasons) > self.most:
            raise ValueError(
                f"{len(self.reasons)} samples could not be read, and data.max_failed is {self.most}; see "
                f"{self._path(trainer)}. Look at the set: `.venv/bin/python -m shards verify <set>`"
            )

    def _path(self, trainer: Trainer) -> Path:
        return self.folder / (f"failed-{trainer.global_rank}.json" if trainer.global_rank else "failed.json")

    def state_dict(self) -> dict[str, Any]:
        """What was met so far."""
        return {"reasons": self.reasons}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there."""
        self.reasons = dict(state_dict["reasons"])
