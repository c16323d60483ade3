"""Samples videos from a finished stage: of one caption or of many, each from the noise of its own seed."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from shards.picture import fitted
from training.bucket import Bucket
from training.captions import Wanted
from training.config import Stage, build_stage
from training.fit import check_frozen, load_weights
from training.pictures import read_mp4, write_contact_sheet, write_gif, write_mp4, write_overview
from training.run import Run, file_hash
from training.samples import SampleFolder

MAX_NAME = 50


@dataclass(frozen=True)
class Sampled:
    """Where a sampled video lies."""

    caption: str
    video: Path
    animation: Path
    sheet: Path


@dataclass(frozen=True)
class Sampling:
    """How videos are sampled.

    Raises:
        ValueError: the batch holds no video.
    """

    batch: int = 1
    """Videos at once; others in the batch change a video by rounding alone."""
    raw: bool = False
    """Takes the last weights of the stage instead of their average."""
    ema: str | None = None
    """Length of another average that the stage kept."""
    force: bool = False
    """Replaces videos of the same name that were made with something else."""

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"batch must be at least 1, not {self.batch}")


def sample(
    run: Run, wanted: Sequence[Wanted], folder: Path, arguments: list[str], how: Sampling = Sampling()
) -> Iterator[Sampled]:
    """Samples videos with the weights of a finished stage; those that are there already come first.

    Equal captions, seeds, weights and settings give equal videos, whatever else is sampled with them.

    Args:
        run: its folder.
        wanted: captions and seeds, and pictures as many as the stage is given frames.
        folder: where the files go, by caption and seed; captions that differ in punctuation alone share a name.
        arguments: of the command line, win over the configuration of the run.
        how: in what batches, and from which weights.

    Yields:
        Each video, when its files are whole.

    Raises:
        ValueError: something that the user can mend; before the first video, and nothing was overwritten.
    """
    stage = build_stage([run.config], arguments)
    check_frozen(run, stage.model)
    weights, samples = _weights(run, how), SampleFolder(folder)
    made_with = _made_with(stage, run, weights)
    rows = [named(each, how, run) | made_with for each in wanted]
    pictures = {row["video"]: each.images for row, each in zip(rows, wanted, strict=True)}
    missing = samples.missing(rows, how.force)
    names = {row["video"] for row in missing}
    yield from (_sampled(samples, row) for row in rows if row["video"] not in names)
    if missing:
        _load(stage, weights)
    for first in range(0, len(missing), how.batch):
        together = missing[first : first + how.batch]
        given = _given([pictures[row["video"]] for row in together], stage.data.bucket)
        samples.announce(together)
        yield from _make(stage, samples, together, given)


def sample_overview(folder: Path, name: str, sampled: Sequence[Sampled]) -> Path:
    """Writes one sheet of all videos of a list: a few frames of each; of long lists the beginning."""
    path = folder / f"overview_{name}.png"  # no video has an underscore in its name
    write_overview(path, ((each.caption, read_mp4(each.video)) for each in sampled))
    return path


def _weights(run: Run, how: Sampling) -> Path:
    """The averaged weights, which `weights_of` has checked, or others of the run."""
    if not how.raw and how.ema is None:
        return run.ema_weights
    path, option = (run.raw_weights, "--raw") if how.raw else (run.averaged(str(how.ema)), "--ema")
    written = (run.record or {})["weights"]
    if path.name not in written:
        raise ValueError(
            f"stage {run.stage} has no {path.name}, but {', '.join(written)}; the first length of the recipe is "
            f"{run.ema_weights.name}, sampled without {option}; another can be made from snapshots: "
            f".venv/bin/python -m training ema --stage {run.stage} --sigma-rel {how.ema}"
        )
    if not path.exists() or file_hash(path) != written[path.name]:
        raise ValueError(f"{path} is not what stage {run.stage} wrote: bring that back, or sample without {option}")
    return path


def _made_with(stage: Stage, run: Run, weights: Path) -> dict[str, Any]:
    """What all videos of a call have in common in their rows."""
    model, bucket = yaml.safe_load(stage.to_yaml())["model"], stage.data.bucket
    sampler, guidance = (json.dumps(model[part], sort_keys=True) for part in ("sampler", "guidance"))
    settings = json.dumps([stage.settings(), sampler, guidance], sort_keys=True)
    return {
        "stage": run.stage,
        "weights": weights.name,
        "weights_sha256": (run.record or {})["weights"][weights.name],
        "sampler": sampler,
        "guidance": guidance,
        "num_frames": bucket.num_frames,
        "height_px": bucket.height,
        "width_px": bucket.width,
        "fps": float(stage.data.sampling_fps),
        "settings_sha256": hashlib.sha256(settings.encode()).hexdigest(),
    }


def named(wanted: Wanted, how: Sampling, run: Run) -> dict[str, Any]:
    """What a row of `SAMPLES` says of one video by itself, the names of its files among it.

    Raises:
        ValueError: it has not as many pictures as the stage is given frames, or one is not there.
    """
    if len(wanted.images) != run.num_given:
        raise ValueError(
            f"{wanted.where}: stage {run.stage} is given {run.num_given} frames (IMAGE=, LAST_IMAGE=), not "
            f"{len(wanted.images)}"
        )
    if missing := [path for path in wanted.images if not path.is_file()]:
        raise ValueError(f"{wanted.where}: there is no picture {missing[0]}")
    words = " ".join([*(path.stem for path in wanted.images), wanted.caption])
    kind = "-raw" if how.raw else f"-ema-{how.ema}" if how.ema is not None else ""
    stem = f"{_slug(words)}-{wanted.seed}{kind}"
    files = {"video": f"{stem}.mp4", "animation": f"{stem}.gif", "sheet": f"{stem}.png"}
    hashes = [file_hash(path) for path in wanted.images]
    return {"caption": wanted.caption, "images_sha256": hashes, "seed": wanted.seed} | files


def _given(pictures: Sequence[Sequence[Path]], bucket: Bucket) -> Tensor | None:
    """The given frames of a batch, (B, K, H, W, 3) uint8, None without any."""
    if not any(pictures):
        return None
    return torch.from_numpy(np.stack([[_fitted(path, bucket) for path in each] for each in pictures]))


def _fitted(path: Path, bucket: Bucket) -> np.ndarray:
    try:
        return fitted(path.read_bytes(), bucket.width, bucket.height)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error


def _slug(caption: str) -> str:
    """A name for files: letters, digits and dashes; what is too long ends in a hash."""
    words = re.sub(r"[\W_]+", "-", caption.lower()).strip("-") or "no-caption"
    return words if len(words) <= MAX_NAME else f"{words[:MAX_NAME]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"


def _load(stage: Stage, weights: Path) -> None:
    load_weights(stage, weights)
    device = stage.trainer(logger=False).strategy.root_device
    stage.model.to(device).eval()
    stage.model.load_frozen(device)


def _make(
    stage: Stage, samples: SampleFolder, rows: Sequence[Mapping[str, Any]], given: Tensor | None
) -> Iterator[Sampled]:
    """Samples a batch."""
    captions, seeds, fps = [row["caption"] for row in rows], [row["seed"] for row in rows], stage.data.sampling_fps
    videos = stage.model.generate(captions, stage.data.bucket, fps, seeds, given)  # (B, T, H, W, 3) uint8
    for row, frames in zip(rows, videos.cpu().numpy(), strict=True):
        made = _sampled(samples, row)
        write_contact_sheet(made.sheet, frames, made.caption)
        write_gif(made.animation, frames, fps)
        write_mp4(made.video, frames, fps)
        yield made


def _sampled(samples: SampleFolder, row: Mapping[str, Any]) -> Sampled:
    return Sampled(row["caption"], *samples.files(row))
