"""Videos sampled on the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from torch import Tensor

from training.callbacks.look import Look
from training.data import StageData
from training.module import StageModule
from training.pictures import gif, write_mp4


@dataclass
class Videos(Look):
    """Samples videos of fixed captions from fixed noise, of averaged and of raw weights: files and TensorBoard.

    A stage that is given frames takes captions and frames of as many held-out samples instead.
    """

    every: int
    captions: tuple[str, ...]
    data: StageData
    folder: Path

    def on_train_batch_end(self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int):  # type: ignore[override]
        """Samples when it is time, on all ranks (sharded weights want it so); the first one writes."""
        if self.captions and self.is_due(pl_module, batch_idx, self.every):
            captions, given = self._wanted(pl_module)
            with pl_module.averaged():
                self._sample(trainer, pl_module, captions, given, "")
            with pl_module.unaveraged():
                self._sample(trainer, pl_module, captions, given, "-raw")

    def _wanted(self, module: StageModule) -> tuple[Sequence[str], Tensor | None]:
        """Captions, and the frames (B, K, H, W, 3) that are given with them."""
        given = module.conditioning.given
        if given is None:
            return self.captions, None
        bucket = self.data.bucket
        shape = module.codec.shape(bucket.num_frames, bucket.height, bucket.width)
        shapes = [shape, (bucket.num_frames, bucket.height, bucket.width, 3)]  # of latents, of pixels
        batch = next((each for each in self.data.held_out_batches() if tuple(each.frames.shape[1:]) in shapes), None)
        if batch is None:
            return [], None
        return batch.captions[: len(self.captions)], batch.given_frames(given)[: len(self.captions)]

    def _sample(
        self, trainer: Trainer, module: StageModule, captions: Sequence[str], given: Tensor | None, kind: str
    ) -> None:
        if not captions:
            return
        fps, seen = self.data.sampling_fps, module.samples_seen
        videos = module.generate(captions, self.data.bucket, fps, range(len(captions)), given)
        for number, video in enumerate(videos.cpu().numpy() if trainer.is_global_zero else ()):
            write_mp4(self.folder / f"{seen:09d}-{number}{kind}.mp4", video, fps)
            _show(trainer, f"videos{kind}/{number} {captions[number]}".strip(), gif(video, fps), video.shape, seen)


def _show(trainer: Trainer, tag: str, animation: bytes, shape: tuple[int, ...], step: int) -> None:
    """A GIF in TensorBoard's image tab, which plays it."""
    if trainer.logger:
        image = Summary.Image(height=shape[1], width=shape[2], colorspace=3, encoded_image_string=animation)
        writer = trainer.logger.experiment._get_file_writer()  # type: ignore[attr-defined]
        writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)
