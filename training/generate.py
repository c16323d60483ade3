"""Samples a video from a finished stage."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from training.config import Stage, build_stage
from training.fit import check_codec, load_weights
from training.pictures import write_contact_sheet, write_mp4
from training.recipe import Run

MAX_NAME = 50


@dataclass(frozen=True)
class Sampled:
    """Where a sampled video lies."""

    video: Path
    sheet: Path


def sample(run: Run, caption: str, seed: int, folder: Path, arguments: list[str]) -> Sampled:
    """Samples a video with the averaged weights of a finished stage.

    Args:
        run: its folder.
        caption: what the video shows.
        seed: of the noise; equal seeds give equal videos.
        folder: where mp4 and PNG go; captions that differ in punctuation alone share a name.
        arguments: of the command line, win over the configuration of the run.

    Raises:
        ValueError: something that the user can mend.
    """
    stage = build_stage([run.config], arguments)
    check_codec(run, stage.model.codec)
    load_weights(stage, run.ema_weights)
    device = stage.trainer(logger=False).strategy.root_device
    frames = generate(stage, caption, seed, device)
    stem = f"{_slug(caption)}-{seed}"
    sampled = Sampled(folder / f"{stem}.mp4", folder / f"{stem}.png")
    write_mp4(sampled.video, frames, stage.data.fps[0])
    write_contact_sheet(sampled.sheet, frames, caption)
    return sampled


def generate(stage: Stage, caption: str, seed: int, device: torch.device):
    """One video of the stage's bucket: uint8 (T, H, W, 3) RGB, on the CPU."""
    model = stage.model.to(device).eval()
    model.load_frozen(device)
    return model.generate([caption], stage.data.bucket, stage.data.fps[0], seed)[0].cpu().numpy()


def _slug(caption: str) -> str:
    """A name for files: letters, digits and dashes; what is too long ends in a hash."""
    words = re.sub(r"[\W_]+", "-", caption.lower()).strip("-") or "no-caption"
    return words if len(words) <= MAX_NAME else f"{words[:MAX_NAME]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
