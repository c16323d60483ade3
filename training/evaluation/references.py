"""The real videos that an evaluation compares with: held-out samples, always the same ones through the same window."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image
from torch import Tensor

from shards.store import atomic_path
from training.config import Stage
from training.pictures import write_mp4

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
    found = [_write(stage, folder, *sample) for sample in islice(_samples(stage), number)]
    if not found:
        raise ValueError(
            f"{stage.data.folder} holds out no sample that fits the videos of this stage ({stage.data.bucket}), so "
            "there is nothing to compare with: pack more with a larger pack.val_share, or name another --data.set"
        )
    return found


def _samples(stage: Stage) -> Iterator[tuple[str, str, Tensor]]:
    """Key, caption, and frames uint8 (T, H, W, 3) of held-out samples, in their order."""
    bucket, held_out = stage.data.bucket, stage.data.held_out
    for batch in held_out.first(len(held_out.sources[0])) if held_out else ():
        if tuple(batch.frames.shape[1:4]) == (bucket.num_frames, bucket.height, bucket.width):
            yield from zip(batch.keys, batch.captions, batch.frames, strict=True)


def _write(stage: Stage, folder: Path, key: str, caption: str, frames: Tensor) -> Reference:
    video, given = folder / f"{key}.mp4", stage.model.conditioning.given
    write_mp4(video, frames.numpy(), stage.data.sampling_fps)
    pictures = given.of(frames[None])[0].numpy() if given else ()  # (K, H, W, 3)
    paths = [folder / f"{key}-{number}.png" for number in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        with atomic_path(path) as temporary:
            Image.fromarray(picture).save(temporary, "PNG")
    return Reference(key, caption, video, tuple(paths))
