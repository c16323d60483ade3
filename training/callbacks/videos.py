"""Videos sampled on the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from torch import Tensor

from training.bucket import Bucket
from training.callbacks.look import Look
from training.data import StageData
from training.module import StageModule
from training.pictures import gif, write_mp4
from training.stream import Batch


@dataclass
class Videos(Look):
    """Samples videos of fixed captions from fixed noise, to files and to TensorBoard.

    A stage that is given frames takes captions and frames of as many held-out samples instead.
    """

    every: int
    captions: tuple[str, ...]
    data: StageData
    folder: Path

    def on_train_batch_end(self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int):  # type: ignore[override]
        """Samples when it is time; the first rank does it."""
        if self.captions and trainer.is_global_zero and self.is_due(pl_module, batch_idx, self.every):
            fps, (captions, given) = self.data.fps[0], self._wanted(pl_module)
            if not captions:
                return
            with pl_module.averaged():
                videos = pl_module.generate(captions, self.data.bucket, fps, range(len(captions)), given)
            for number, video in enumerate(videos.cpu().numpy()):
                write_mp4(self.folder / f"{pl_module.samples_seen:09d}-{number}.mp4", video, fps)
                _show(trainer, f"videos/{captions[number]}", gif(video, fps), video.shape, pl_module.samples_seen)

    def _wanted(self, module: StageModule) -> tuple[Sequence[str], Tensor | None]:
        """Captions, and the frames (B, K, H, W, 3) that are given with them."""
        given = module.conditioning.given
        if given is None:
            return self.captions, None
        batch = next((each for each in self.data.held_out_batches() if _is_of(each, self.data.bucket)), None)
        if batch is None:
            return [], None
        return batch.captions[: len(self.captions)], given.of(batch.frames[: len(self.captions)])


def _is_of(batch: Batch, bucket: Bucket) -> bool:
    return tuple(batch.frames.shape[1:4]) == (bucket.num_frames, bucket.height, bucket.width)


def _show(trainer: Trainer, tag: str, animation: bytes, shape: tuple[int, ...], step: int) -> None:
    """A GIF in TensorBoard's image tab, which plays it."""
    if trainer.logger:
        image = Summary.Image(height=shape[1], width=shape[2], colorspace=3, encoded_image_string=animation)
        writer = trainer.logger.experiment._get_file_writer()  # type: ignore[attr-defined]
        writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)
