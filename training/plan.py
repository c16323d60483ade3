"""What a recipe would do, stage by stage, without weights and without training."""

from collections.abc import Iterator

import torch

from training.config import Stage, build_stage
from training.inventory import count, select_trainable
from training.recipe import Recipe


def describe(recipe: Recipe, stages: list[str], arguments: list[str]) -> Iterator[str]:
    """Lines about each stage: size of the model, what trains, what is seen, which samples fit.

    Args:
        recipe: its stages.
        stages: those to describe.
        arguments: of the command line, win over the files.

    Raises:
        ValueError: the configuration is wrong.
    """
    for name in stages:
        with torch.device("meta"):  # shapes without memory
            stage = build_stage(recipe.files(name), arguments)
        yield f"stage {name}" + (f", from stage {stage.init_from}" if stage.init_from else "")
        yield from (f"  {line}" for line in (*_model(stage), *_steps(stage), *_data(stage)))


def _model(stage: Stage) -> Iterator[str]:
    denoiser = stage.model.denoiser
    select_trainable(denoiser, stage.model.trainable)
    numbers = count(denoiser)
    total, temporal, trainable = (
        f"{number / 1e6:,.1f} M" for number in (numbers.num_total, numbers.num_temporal, numbers.num_trainable)
    )
    yield f"{type(denoiser).__name__}: {total} parameters, {temporal} of them temporal, {trainable} train"


def _steps(stage: Stage) -> Iterator[str]:
    bucket, config = stage.data.bucket, stage.cli.config
    shape = stage.model.codec.shape(bucket.num_frames, bucket.height, bucket.width)
    frames = (
        "1 frame"
        if bucket.is_image
        else f"{bucket.num_frames} frames at {' or '.join(map('{:g}'.format, stage.data.fps))} a second"
    )
    yield f"{frames}, {bucket.width}x{bucket.height} px; latents (T, C, h, w) = {shape}"
    devices = config.trainer.devices if isinstance(config.trainer.devices, int) else 1
    batch = stage.data.batch_size * devices * config.trainer.num_nodes * config.trainer.accumulate_grad_batches
    yield (
        f"{stage.num_steps(batch):,} steps of {batch:,} samples, learning rate {stage.model.adam.learning_rate:g}, "
        f"noise {stage.model.objective.sigma}"
    )


def _data(stage: Stage) -> Iterator[str]:
    try:
        stage.open()
    except ValueError as error:
        yield f"data: {error}"
        return
    yield from stage.data.describe()
