"""The real videos of an evaluation as files, beside which the sampled ones are shown and measured."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from shards.store import atomic_path
from training.config import Stage
from training.evaluation.real_videos import RealVideo, RealVideos
from training.pictures import write_mp4


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
        stage: it need not be open.
        folder: for the files.
        number: at most so many.

    Raises:
        ValueError: no sample is held out that fits, or none can be read.
    """
    videos = RealVideos(stage.data, stage.model.conditioning, number)
    found = [_write(stage, folder, video) for video in videos.read(range(len(videos)))]
    if not found:
        raise ValueError(f"none of the {len(videos)} held-out samples of {stage.data.folder} can be read: make verify")
    return found


def _write(stage: Stage, folder: Path, real: RealVideo) -> Reference:
    video, given = folder / f"{real.key}.mp4", stage.model.conditioning.given
    write_mp4(video, real.frames.numpy(), stage.data.sampling_fps)
    pictures = given.of(real.frames[None])[0].numpy() if given else ()  # (K, H, W, 3)
    paths = [folder / f"{real.key}-{number}.png" for number in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        with atomic_path(path) as temporary:
            Image.fromarray(picture).save(temporary, "PNG")
    return Reference(real.key, real.caption, video, tuple(paths))
