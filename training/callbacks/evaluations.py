"""The metrics of an evaluation on the way, over all ranks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from training.callbacks.look import Look, log
from training.data import StageData
from training.evaluation.references import real_videos
from training.evaluation.settings import EvaluationSettings
from training.evaluation.tables import ON_THE_WAY, figure_rows, in_words, write_rows
from training.metrics.evaluation import Evaluation
from training.metrics.metric import Videos
from training.module import StageModule
from training.run import Run
from training.screen import Screen


@dataclass
class Evaluations(Look):
    """Samples videos of the averaged weights and measures them as `evaluate` does, each rank its share of them.

    Other than there, neither sampled nor real videos go through a file on the way to the metrics.
    """

    settings: EvaluationSettings
    data: StageData
    run: Run
    screen: Screen
    history: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `ON_THE_WAY`, in order."""

    @property
    def is_wanted(self) -> bool:
        """Whether anything is measured on the way."""
        return bool(self.settings.every and self.settings.metrics)

    def on_train_start(self, trainer: Trainer, pl_module: StageModule) -> None:  # type: ignore[override]
        """Measures the real videos, and keeps of them what those that are sampled need.

        Raises:
            ValueError: no sample is held out that fits.
        """
        if not self.is_wanted:
            return
        with isolate_rng():  # networks draw weights before they load theirs; the stage goes on as without them
            self._evaluation = Evaluation(self.settings.metrics, pl_module.device)
            self._captions: list[str] = []
            self._given: dict[int, Tensor] = {}
            for number, (_, caption, frames) in enumerate(self._real(pl_module)):
                self._captions.append(caption)
                if number % trainer.world_size == trainer.global_rank:
                    self._evaluation.add([number], self._videos(frames[None], [caption]), is_real=True)
                if given := pl_module.conditioning.given:
                    self._given[number] = given.of(frames[None])[0]

    def _real(self, module: StageModule) -> Iterator[tuple[str, str, Tensor]]:
        return real_videos(self.data, module.conditioning, self.settings.num_videos)

    def _videos(self, frames: Tensor, captions: list[str]) -> Videos:
        return Videos(frames.cpu(), captions, self.data.sampling_fps)

    def on_train_batch_end(self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int):  # type: ignore[override]
        """Measures when it is time."""
        if self.is_wanted and self.is_due(pl_module, batch_idx, self.settings.every):
            with isolate_rng():
                self._measure(trainer, pl_module)

    def _measure(self, trainer: Trainer, module: StageModule) -> None:
        self._evaluation.forget_sampled()
        for numbers, counts in self._batches(trainer.global_rank, trainer.world_size):
            with module.averaged():
                videos = self._sample(module, numbers)
            if counts:
                self._evaluation.add(numbers, videos)
        told = {"stage": self.run.stage, "samples": module.samples_seen}
        rows = figure_rows(told, self._evaluation.figures())
        self.history += rows
        log(trainer, module, {f"evaluation/{row['name']}": row["value"] for row in rows if not row["missing"]})
        for row in rows:
            self.screen.say(f"after {module.samples_seen:,} samples {in_words(row)}")
        if trainer.is_global_zero:
            write_rows(self.run.folder / "metrics.parquet", self.history, ON_THE_WAY)

    def _batches(self, rank: int, world_size: int) -> Iterator[tuple[list[int], bool]]:
        """Numbers of this rank's videos, and whether they count: as many batches on each rank, for sharded weights."""
        total, size = len(self._captions), self.settings.batch
        mine = list(range(rank, total, world_size))
        for first in range(0, ceil(total / world_size), size):
            numbers = mine[first : first + size]
            yield (numbers, True) if numbers else ([0], False)

    def _sample(self, module: StageModule, numbers: list[int]) -> Videos:
        captions = [self._captions[number] for number in numbers]
        given = torch.stack([self._given[number] for number in numbers]) if self._given else None
        seeds = [self.settings.seed + number for number in numbers]
        return self._videos(module.generate(captions, self.data.bucket, self.data.sampling_fps, seeds, given), captions)

    def state_dict(self) -> dict[str, Any]:
        """What was measured so far."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there."""
        self.history = list(state_dict["history"])
