"""Videos sampled on the way."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

from training.callbacks.look import Look
from training.data import StageData
from training.module import StageModule
from training.pictures import gif, write_mp4


@dataclass
class Videos(Look):
    """Samples videos of fixed captions from fixed noise, to files and to TensorBoard."""

    every: int
    captions: tuple[str, ...]
    data: StageData
    folder: Path

    def on_train_batch_end(self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int):  # type: ignore[override]
        """Samples when it is time, on all ranks (sharded weights want it so); the first one writes."""
        if self.captions and self.is_due(pl_module, batch_idx, self.every):
            fps = self.data.fps[0]
            with pl_module.averaged():
                videos = pl_module.generate(self.captions, self.data.bucket, fps, range(len(self.captions)))
            for number, video in enumerate(videos.cpu().numpy() if trainer.is_global_zero else ()):
                write_mp4(self.folder / f"{pl_module.samples_seen:09d}-{number}.mp4", video, fps)
                _show(trainer, f"videos/{self.captions[number]}", gif(video, fps), video.shape, pl_module.samples_seen)


def _show(trainer: Trainer, tag: str, animation: bytes, shape: tuple[int, ...], step: int) -> None:
    """A GIF in TensorBoard's image tab, which plays it."""
    if trainer.logger:
        image = Summary.Image(height=shape[1], width=shape[2], colorspace=3, encoded_image_string=animation)
        writer = trainer.logger.experiment._get_file_writer()  # type: ignore[attr-defined]
        writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)
