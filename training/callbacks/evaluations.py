"""The metrics of an evaluation on the way, over all ranks."""

from dataclasses import dataclass, field
from math import ceil
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from training.callbacks.look import Look, log
from training.data import StageData
from training.evaluation.real_videos import RealVideos
from training.evaluation.settings import EvaluationSettings
from training.evaluation.tables import METRICS_FILE, ON_THE_WAY, figure_rows, in_words, write_rows
from training.metrics.evaluation import Evaluation
from training.metrics.metric import Videos
from training.module import StageModule
from training.run import Run
from training.screen import Screen


@dataclass
class Evaluations(Look):
    """Samples videos of the averaged weights and measures them as `evaluate` does, each rank its share of them.

    Other than there, neither sampled nor real videos go through a file on the way to the metrics, and sampling has the
    precision of the training.
    """

    settings: EvaluationSettings
    data: StageData
    run: Run
    screen: Screen
    history: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `ON_THE_WAY`, in order."""

    def on_train_start(self, trainer: Trainer, pl_module: StageModule) -> None:  # type: ignore[override]
        """Measures this rank's real videos, and keeps of them what sampling needs."""
        if not self.settings.every:
            return
        given, rank, world_size = pl_module.conditioning.given, trainer.global_rank, trainer.world_size
        with isolate_rng():  # networks draw weights before they load theirs; the stage goes on as without them
            self._evaluation = Evaluation(self.settings.metrics, pl_module.device)
            for name, reason in self._evaluation.missing.items():
                self.screen.say(f"{name}: no value: {reason}")
            real = RealVideos(self.data, pl_module.conditioning, self.settings.num_videos)
            self._num_batches = ceil(len(real) / world_size / self.settings.batch)
            self._wanted: dict[int, tuple[str, Tensor | None]] = {}
            for number, _, caption, frames in real.read(range(rank, len(real), world_size)):
                self._evaluation.add([number], self._videos(frames[None], [caption]), is_real=True)
                # a copy, which does not keep the other frames
                self._wanted[number] = caption, given.of(frames[None])[0].clone() if given else None

    def _videos(self, frames: Tensor, captions: list[str]) -> Videos:
        return Videos(frames.cpu(), captions, self.data.sampling_fps)

    def on_train_batch_end(self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int):  # type: ignore[override]
        """Measures when it is time."""
        if self.settings.every and self.is_due(pl_module, batch_idx, self.settings.every):
            with isolate_rng():
                self._measure(trainer, pl_module)

    def _measure(self, trainer: Trainer, module: StageModule) -> None:
        self._evaluation.forget_sampled()
        mine, size = sorted(self._wanted), self.settings.batch
        for first in range(0, self._num_batches * size, size):  # as many on each rank, as sharded weights want it
            videos = self._sample(module, numbers := mine[first : first + size])
            if numbers:
                self._evaluation.add(numbers, videos)
        told = {"stage": self.run.stage, "samples": module.samples_seen}
        rows = figure_rows(told, self._evaluation.figures())
        self.history += rows
        log(trainer, module, {f"evaluation/{row['name']}": row["value"] for row in rows if not row["missing"]})
        for row in rows:
            self.screen.say(f"after {module.samples_seen:,} samples {in_words(row)}")
        if trainer.is_global_zero:
            write_rows(self.run.folder / METRICS_FILE, self.history, ON_THE_WAY)

    def _sample(self, module: StageModule, numbers: list[int]) -> Videos:
        """Videos of some numbers; of none, one that nobody looks at."""
        wanted = [self._wanted[number] for number in numbers] or [("", self._blank(module))]
        captions, given = [caption for caption, _ in wanted], [frames for _, frames in wanted if frames is not None]
        with module.averaged():
            videos = module.generate(
                captions,
                self.data.bucket,
                self.data.sampling_fps,
                [self.settings.seed + number for number in numbers or [0]],
                torch.stack(given) if given else None,
            )
        return self._videos(videos, captions)

    def _blank(self, module: StageModule) -> Tensor | None:
        given, bucket = module.conditioning.given, self.data.bucket
        return torch.zeros(given.number, bucket.height, bucket.width, 3, dtype=torch.uint8) if given else None

    def state_dict(self) -> dict[str, Any]:
        """What was measured so far."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there."""
        self.history = list(state_dict["history"])
