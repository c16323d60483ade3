"""What happens beside the steps of a stage: numbers, held-out loss, videos, checkpoints. Intervals are in samples."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

from shards.store import TEMPORARY_SUFFIX, write_json
from training.data import StageData
from training.guard import GradientGuard
from training.module import StageModule
from training.pictures import gif, write_mp4
from training.screen import Screen
from training.stream import Batch


@dataclass(frozen=True)
class Watch:
    """How often a stage is looked at, in samples; 0 means at its end alone."""

    numbers_every: int = 512
    """Loss, gradient norm, learning rate and speed go to TensorBoard."""
    held_out_every: int = 50_000
    """The held-out loss is measured; besides at the beginning and at the end."""
    videos_every: int = 50_000
    """Videos of `captions` are sampled from the averaged weights; besides at the end."""
    checkpoint_every: int = 10_000
    """The state is written from which a killed run goes on."""
    captions: tuple[str, ...] = ()
    """What videos are sampled of."""
    max_skipped_steps: int = 20
    """Steps that may be left out since their gradient was not finite, or a spike; the stage stops at one more."""
    max_gradient_ratio: float = 0.0
    """A gradient of more than so many times the usual norm is a spike; 0 knows none."""

    def __post_init__(self) -> None:
        for name in ("numbers_every", "held_out_every", "videos_every", "checkpoint_every"):
            if getattr(self, name) < 0:
                raise ValueError(f"watch.{name} is a number of samples, at least 0, not {getattr(self, name)}")
        if self.max_skipped_steps < 0 or not (self.max_gradient_ratio == 0 or self.max_gradient_ratio > 1):
            raise ValueError("watch.max_skipped_steps is at least 0; watch.max_gradient_ratio is 0 or above 1")


def is_due(seen: int, before: int, every: int, total: int) -> bool:
    """Whether a multiple of `every` samples, or the end, was reached by the step from `before` to `seen` samples."""
    return seen >= total or (every > 0 and seen // every > before // every)


@dataclass
class Look(Callback):
    """Base of what looks at a stage now and then."""

    total: int
    """Samples of the stage."""

    def is_due(self, module: StageModule, batch_idx: int, every: int) -> bool:
        """Whether it is time, after a batch of the stage; never between the batches of one step."""
        if not self.ends_step(module, batch_idx):
            return False
        before = module.samples_at(module.trainer.global_step - 1)
        return is_due(module.samples_seen, before, every, self.total)

    @staticmethod
    def ends_step(module: StageModule, batch_idx: int) -> bool:
        """Whether a batch is the last one of its step."""
        return (batch_idx + 1) % module.trainer.accumulate_grad_batches == 0


def log(trainer: Trainer, module: StageModule, numbers: Mapping[str, float]) -> None:
    """Writes numbers to TensorBoard over samples seen."""
    if trainer.logger:
        trainer.logger.log_metrics(dict(numbers), step=module.samples_seen)


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


@dataclass
class HeldOutLoss(Look):
    """The loss of the averaged weights on samples that no stage trains on, at fixed noise levels and noise."""

    every: int
    data: StageData
    screen: Screen
    history: list[dict[str, float]] = field(default_factory=list)
    """`samples` seen and `loss`, in order."""

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
            for batch in self.data.held_out_batches(trainer.global_rank, trainer.world_size):
                loss = module.held_out_loss(batch.to(module.device)).double()
                losses += torch.stack([loss.sum(), loss.new_tensor(len(loss))])
        total, number = trainer.strategy.reduce(losses, reduce_op="sum").tolist()
        if number:
            self.history.append({"samples": module.samples_seen, "loss": total / number})
            log(trainer, module, {"held_out_loss": total / number})
            left_out = self.data.num_held_out_there - round(number)
            told = f", {left_out} of its samples could not be read" if left_out else ""
            self.screen.say(f"held-out loss {total / number:.4f} after {module.samples_seen:,} samples{told}")

    def state_dict(self) -> dict[str, Any]:
        """What was measured so far."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there."""
        self.history = list(state_dict["history"])


@dataclass
class Videos(Look):
    """Samples videos of fixed captions from fixed noise, to files and to TensorBoard."""

    every: int
    captions: tuple[str, ...]
    data: StageData
    folder: Path

    def on_train_batch_end(self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int):  # type: ignore[override]
        """Samples when it is time; the first rank does it."""
        if self.captions and trainer.is_global_zero and self.is_due(pl_module, batch_idx, self.every):
            fps = self.data.fps[0]
            with pl_module.averaged():
                videos = pl_module.generate(self.captions, self.data.bucket, fps, range(len(self.captions)))
            for number, video in enumerate(videos.cpu().numpy()):
                write_mp4(self.folder / f"{pl_module.samples_seen:09d}-{number}.mp4", video, fps)
                _show(trainer, f"videos/{self.captions[number]}", gif(video, fps), video.shape, pl_module.samples_seen)


def _show(trainer: Trainer, tag: str, animation: bytes, shape: tuple[int, ...], step: int) -> None:
    """A GIF in TensorBoard's image tab, which plays it."""
    if trainer.logger:
        image = Summary.Image(height=shape[1], width=shape[2], colorspace=3, encoded_image_string=animation)
        writer = trainer.logger.experiment._get_file_writer()  # type: ignore[attr-defined]
        writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)


@dataclass
class Checkpoints(Look):
    """Writes the state of the run; the file is whole or not there. Comes after all that has a state of its own.

    After a SIGTERM it writes once more at the end of the step; Lightning then ends the process, with exit code 0.
    """

    every: int
    path: Path
    screen: Screen

    def on_train_batch_end(self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int):  # type: ignore[override]
        """Writes when it is time."""
        is_told = trainer.received_sigterm and self.ends_step(pl_module, batch_idx)
        if is_told or self.is_due(pl_module, batch_idx, self.every):
            save_atomically(trainer, self.path)
        if trainer.received_sigterm:
            self.screen.say(f"SIGTERM after {pl_module.samples_seen:,} samples; the same command goes on")


class PlainFile(TorchCheckpointIO):
    """Writes checkpoints where they belong; Lightning's own way goes through the folder for temporary files."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Writes the file."""
        torch.save(checkpoint, path)


def save_atomically(trainer: Trainer, path: Path) -> None:
    """Writes a checkpoint in the place of the one before; all ranks call it, as Lightning wants."""
    temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
    try:
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch has its own words for a full disk
        temporary.unlink(missing_ok=True)
        raise OSError(
            f"the checkpoint {path} cannot be written ({' '.join(str(error).split())[:200]}): free space there; the "
            "same command (without FORCE) goes on from the checkpoint before"
        ) from error


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
                f"{self._path(trainer)}. Look at the set: `python -m shards verify <set>`"
            )

    def _path(self, trainer: Trainer) -> Path:
        return self.folder / (f"failed-{trainer.global_rank}.json" if trainer.global_rank else "failed.json")

    def state_dict(self) -> dict[str, Any]:
        """What was met so far."""
        return {"reasons": self.reasons}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there."""
        self.reasons = dict(state_dict["reasons"])
