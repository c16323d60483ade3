"""The state of a run, from which the same command goes on."""

import os
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO

from shards.store import TEMPORARY_SUFFIX
from training.callbacks.look import Look
from training.module import StageModule
from training.screen import Screen


@dataclass
class Checkpoints(Look):
    """Writes the state of the run; the file is whole or not there. Comes after all that has a state of its own.

    After a SIGTERM it writes once more at the end of the step; Lightning then ends the process, with exit code 0.
    """

    every: int
    path: Path
    screen: Screen
    made_from: str
    """Hash of all that decides the weights; see `refuse_foreign`."""
    keep: int = 1
    """How many files; older ones are `last-1.ckpt` and so on."""

    def on_save_checkpoint(self, trainer: Trainer, pl_module: StageModule, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
        """Notes what the run is made from."""
        checkpoint["made_from"] = self.made_from

    def on_train_batch_end(self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int):  # type: ignore[override]
        """Writes when it is time."""
        # ranks decide together: saving is a matter of all of them
        is_told = self.ends_step(pl_module, batch_idx) and trainer.strategy.reduce_boolean_decision(
            trainer.received_sigterm, all=False
        )
        if is_told or self.is_due(pl_module, batch_idx, self.every):
            save_atomically(trainer, self.path, self.keep)
        if trainer.received_sigterm:
            self.screen.say(f"stopped after {pl_module.samples_seen:,} samples; the same command goes on")


class PlainFile(TorchCheckpointIO):
    """Writes checkpoints where they belong; Lightning's own way goes through the folder for temporary files."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Writes the file."""
        torch.save(checkpoint, path)


def is_whole(path: Path) -> bool:
    """Whether a checkpoint can be read to its last byte, by the CRC-32 of each of its tensors."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except Exception:  # of flipped bits zipfile makes errors of many kinds
        return False


def refuse_foreign(path: Path, made_from: str) -> None:
    """Sees that a checkpoint is of the run whose folder it lies in; one of before this was noted is taken.

    Args:
        path: of a whole checkpoint.
        made_from: hash of all that decides the run's weights.

    Raises:
        ValueError: it is of another one, brought here by hand.
    """
    noted = torch.load(path, map_location="cpu", mmap=True, weights_only=True).get("made_from", made_from)
    if noted != made_from:
        raise ValueError(
            f"{path} is of another run: other settings, data or weights. Bring this run's own back, or remove it: the "
            "stage goes on from the checkpoint before, or starts from its first step"
        )


def _set_aside(path: Path, keep: int) -> None:
    """Renames `last.ckpt` to `last-1.ckpt`, that one to `last-2.ckpt`, and so on, over the oldest."""
    names = [path, *(path.with_stem(f"{path.stem}-{number}") for number in range(1, keep))]
    for newer, older in reversed(list(pairwise(names))):
        if newer.exists():
            os.replace(newer, older)


def save_atomically(trainer: Trainer, path: Path, keep: int = 1) -> None:
    """Writes a checkpoint in the place of the one before; all ranks call it, as Lightning wants.

    Args:
        trainer: with all state.
        path: of the newest checkpoint.
        keep: how many stay, this one too; the older ones move when the new one is on the disk.

    Raises:
        OSError: there is no room; the checkpoints of before are untouched.
    """
    temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
    try:
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            _set_aside(path, keep)
            os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch has its own words for a full disk
        temporary.unlink(missing_ok=True)
        raise OSError(
            f"the checkpoint {path} cannot be written ({' '.join(str(error).split())[:200]}): free space there; the "
            "same command (without FORCE) goes on from the checkpoint before"
        ) from error
