"""Writes a finished stage as a folder of diffusers: of its own pipeline, or of one that comes along."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from shards.store import write_json
from training.config import Stage, build_stage
from training.export.form import Form
from training.export.image_to_video import ImageToVideo
from training.export.text_to_video import TextToVideo
from training.fit import check_frozen, load_weights
from training.run import Run


def export(run: Run, folder: Path, arguments: list[str]) -> Iterator[str]:
    """Writes the averaged weights of a finished stage, with all that sampling needs.

    Args:
        run: its folder.
        folder: new; whole or not there.
        arguments: of the command line, win over the configuration of the run.

    Yields:
        What was written, and how it is used, in lines.

    Raises:
        ValueError: something stands there, or the stage has no such form; names why.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists: name another (--out)")
    stage = build_stage([run.config], arguments)
    form = form_of(stage)
    if reasons := list(form.misfits(stage)):
        raise ValueError(f"stage {run.stage} cannot be {form.name}: {'; '.join(reasons)}")
    check_frozen(run, stage.model)
    load_weights(stage, run.ema_weights)
    stage.model.load_frozen(torch.device("cpu"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        whole = Path(temporary) / "pipeline"
        form.write(stage, whole)
        write_json(whole / "rushes.json", _origin(stage, run))
        os.rename(whole, folder)
    yield f"stage {run.stage} is now {folder}"
    yield form.call(stage, folder)


def form_of(stage: Stage) -> Form:
    """What a stage becomes, by whether it is given frames."""
    return TextToVideo() if stage.model.conditioning.given is None else ImageToVideo()


def _origin(stage: Stage, run: Run) -> dict[str, Any]:
    """Where the weights came from."""
    return {"stage": run.stage, "record": run.record, "frames": str(stage.data.bucket), "fps": stage.data.sampling_fps}
