"""Losses by noise level and bucket, gradient norm, learning rate, speed, utilisation and memory."""

import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from training.callbacks.clock import Clock
from training.callbacks.csv_log import CsvLog
from training.callbacks.guard import GradientGuard
from training.callbacks.look import Look, log
from training.callbacks.tally import Tally, level_edges, means
from training.data import StageData
from training.module import StageModule
from training.peak_flops import peak_flops
from training.screen import Screen
from training.stream import Batch
from training.work import flops_of_samples

GIB = 2**30


@dataclass
class Numbers(Look):
    """Collects on the device, and reads at a look: onto the screen and to all loggers, over all ranks.

    A checkpoint holds what was collected since the last look, so a run that goes on logs what the unbroken one would.
    """

    every: int
    screen: Screen
    name: str
    guard: GradientGuard
    clock: Clock
    data: StageData
    peak_tflops: float | None = None
    """Of one device, at the precision of training; None looks a GPU up."""
    _words: str = "..."
    _before: dict[str, Any] = field(default_factory=dict)
    """Collected over all ranks, until the checkpoint that this run goes on from."""

    def setup(self, trainer: Trainer, pl_module: StageModule, stage: str) -> None:  # type: ignore[override]
        """Learns what the buckets are."""
        self._trainer = trainer
        codec, buckets = pl_module.codec, self.data.buckets
        shapes = [codec.shape(bucket.num_frames, bucket.height, bucket.width) for bucket in buckets]
        self._tally = Tally([level_edges(pl_module.objective, shape) for shape in shapes])
        # A batch holds frames (T, H, W, 3) or latents (T, C, h, w) of a bucket
        self._numbers: dict[tuple[int, ...], int] = {shape: number for number, shape in enumerate(shapes)}
        self._numbers |= {(b.num_frames, b.height, b.width, 3): number for number, b in enumerate(buckets)}
        self._peak = self._peak_of(trainer)
        self._flops = flops_of_samples(pl_module, buckets) if self._peak else [0] * len(buckets)

    def _peak_of(self, trainer: Trainer) -> float | None:
        if self.peak_tflops:
            return self.peak_tflops * 1e12
        device = trainer.strategy.root_device
        if device.type != "cuda":
            return None
        return peak_flops(torch.cuda.get_device_name(device), str(trainer.precision))

    def on_train_start(self, trainer: Trainer, pl_module: StageModule) -> None:  # type: ignore[override]
        """Begins the bar and the table."""
        self.screen.begin(self.name, self.total, pl_module.samples_seen)
        for logger in trainer.loggers:
            if isinstance(logger, CsvLog):
                logger.begin(pl_module.samples_seen)

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: StageModule, outputs: Mapping[str, Tensor], batch: Batch, batch_idx: int
    ) -> None:
        """Collects; writes when it is time."""
        self.clock.stop(pl_module)
        self._tally.add(self._numbers[tuple(batch.frames.shape[1:])], outputs["losses"], outputs["sigma"])
        seen = pl_module.samples_seen
        if self.is_due(pl_module, batch_idx, self.every):
            numbers = self._read(trainer, pl_module, seen)
            log(trainer, pl_module, numbers)
            self._words = f"loss {numbers['loss']:.4f}, {numbers['samples_a_second']:.3g} samples/s"
        self.screen.follow(seen, self._words)

    def _read(self, trainer: Trainer, module: StageModule, seen: int) -> dict[str, float]:
        """All numbers since the last look, and begins anew."""
        sums, (steps_s, waited_s) = self._collected()
        self._before = {}
        self._tally.clear()
        self.clock.reset()
        samples = sums[..., 1].sum(1)  # (buckets,)
        memory = torch.tensor(_memory_gib(module.device), device=module.device, dtype=torch.float64)
        return (
            means(sums, self.data.buckets)
            | {
                "gradient_norm": self.guard.norm,
                "learning_rate": module.adam.rate(seen),
                "samples_a_second": float(samples.sum()) / steps_s,
                "tokens_a_second": _dot(samples, self.data.tokens) / steps_s,
                "data_wait_share": waited_s / steps_s,
                "memory_gib": float(trainer.strategy.reduce(memory, reduce_op="max")),
            }
            | self._utilisation(samples, steps_s * trainer.world_size)
        )

    def _utilisation(self, samples: Tensor, devices_s: float) -> dict[str, float]:
        if not self._peak or not all(self._flops):
            return {}
        return {"flop_utilisation": _dot(samples, self._flops) / devices_s / self._peak}

    def _collected(self) -> tuple[Tensor, list[float]]:
        """Since the last look, over all ranks: sums of losses, and seconds of steps and of waiting."""
        strategy, device = self._trainer.strategy, self._trainer.strategy.root_device
        sums = strategy.reduce(self._tally.sums().to(device), reduce_op="sum").cpu()
        times = torch.tensor([self.clock.steps_s, self.clock.waited_s], dtype=torch.float64, device=device)
        times = strategy.reduce(times, reduce_op="mean").cpu()
        if self._before:
            sums, times = sums + self._before["sums"], times + self._before["times"]
        return sums, times.tolist()

    def state_dict(self) -> dict[str, Any]:
        """What was collected since the last look; all ranks ask for it, as Lightning does."""
        sums, times = self._collected()
        return {"sums": sums, "times": torch.tensor(times, dtype=torch.float64)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there; other buckets have other sums."""
        if state_dict["sums"].shape == self._tally.sums().shape:
            self._before = dict(state_dict)

    def teardown(self, trainer: Trainer, pl_module: StageModule, stage: str) -> None:  # type: ignore[override]
        """Takes the bar away."""
        self.screen.end()


def _dot(samples: Tensor, each: list[int]) -> float:
    return float(samples @ torch.tensor(each, dtype=samples.dtype))


def _memory_gib(device: torch.device) -> float:
    """The most that tensors have taken on a GPU, or this process in main memory, so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GIB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB
