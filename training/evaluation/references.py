"""The real videos that an evaluation compares with: held-out samples, always the same ones through the same window."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image
from torch import Tensor

from shards.reader import ShardSet
from shards.store import atomic_path
from training.clips import ClipSource
from training.conditioning import Conditioning
from training.config import Stage
from training.data import VAL, StageData
from training.packed import check_packed
from training.pictures import write_mp4
from training.stream import Stream

NO_WINDOWS = "--data.latents=null"
"""References are pixels, whatever the stage was trained on."""


@dataclass(frozen=True)
class Reference:
    """A held-out sample as the stage would see it."""

    key: str
    caption: str
    video: Path
    """mp4, in the size, length and rate of videos that the stage samples."""
    given: tuple[Path, ...]
    """PNG of the frames that the model is given."""


def write_references(stage: Stage, folder: Path, number: int) -> list[Reference]:
    """Writes the first held-out samples of the stage's sampling bucket, and what of them the model is given.

    They are written anew each time, since other data, windows or sizes go by the same keys.

    Args:
        stage: open, reading frames rather than latents.
        folder: for the files.
        number: at most so many.

    Raises:
        ValueError: no sample is held out that fits.
    """
    return [_write(stage, folder, *video) for video in real_videos(stage.data, stage.model.conditioning, number)]


def real_videos(data: StageData, conditioning: Conditioning, number: int) -> Iterator[tuple[str, str, Tensor]]:
    """Key, caption and frames uint8 (T, H, W, 3) of held-out samples in the sampling bucket, in their order.

    They are pixels, whatever the stage trains on.

    Args:
        data: of the stage.
        conditioning: of the stage; samples without what it needs are left out.
        number: at most so many.

    Raises:
        ValueError: no sample is held out that fits.
    """
    is_any = False
    for video in islice(_held_out(data, conditioning), number):
        is_any = True
        yield video
    if not is_any:
        raise ValueError(_nothing(data, f"none has the size and length of {data.bucket}"))


def _held_out(data: StageData, conditioning: Conditioning) -> Iterator[tuple[str, str, Tensor]]:
    shards, bucket = ShardSet(check_packed(data.shards, data.set) / VAL), data.bucket
    try:
        source = ClipSource(shards, data.buckets, data.rates, conditioning, captions=data.captions)
    except ValueError as error:
        raise ValueError(_nothing(data, str(error))) from error
    for batch in Stream([source], [1] * len(data.buckets), data.seed).first(len(source)):
        if tuple(batch.frames.shape[1:4]) == (bucket.num_frames, bucket.height, bucket.width):
            yield batch.keys[0], batch.captions[0], batch.frames[0]


def _nothing(data: StageData, reason: str) -> str:
    return (
        f"{data.folder} holds out no sample to compare with ({reason}): pack more with a larger pack.val_share, or "
        "name another --data.set"
    )


def _write(stage: Stage, folder: Path, key: str, caption: str, frames: Tensor) -> Reference:
    video, given = folder / f"{key}.mp4", stage.model.conditioning.given
    write_mp4(video, frames.numpy(), stage.data.sampling_fps)
    pictures = given.of(frames[None])[0].numpy() if given else ()  # (K, H, W, 3)
    paths = [folder / f"{key}-{number}.png" for number in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        with atomic_path(path) as temporary:
            Image.fromarray(picture).save(temporary, "PNG")
    return Reference(key, caption, video, tuple(paths))
