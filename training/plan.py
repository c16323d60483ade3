"""What a recipe would do, stage by stage, without weights and without training."""

from collections.abc import Iterator

import torch

from training.config import Stage, build_stage
from training.costs import costs
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
        before = f"stage {stage.init_from}" if stage.init_from else stage.init_weights
        yield f"stage {name}" + (f", from {before}" if before else "")
        yield from (
            f"  {line}" for line in (*_model(stage), *_sizes(stage), *_data(stage), *_steps(stage), *costs(stage))
        )


def _model(stage: Stage) -> Iterator[str]:
    denoiser = stage.model.denoiser
    select_trainable(denoiser, stage.model.trainable)
    numbers = count(denoiser)
    total, temporal, trainable = (
        f"{number / 1e6:,.1f} M" for number in (numbers.num_total, numbers.num_temporal, numbers.num_trainable)
    )
    yield f"{type(denoiser).__name__}: {total} parameters, {temporal} of them temporal, {trainable} train"


def _sizes(stage: Stage) -> Iterator[str]:
    """What an example is, and how many make a batch."""
    tokens = stage.tokens()
    for bucket, one, size in zip(stage.data.buckets, tokens, stage.data.batch_sizes(tokens), strict=True):
        shape = stage.model.codec.shape(bucket.num_frames, bucket.height, bucket.width)
        frames = "1 frame" if bucket.is_image else f"{bucket.num_frames} frames {stage.data.rates}"
        yield (
            f"{frames}, {bucket.width}x{bucket.height} px; latents (T, C, h, w) = {shape}, {one:,} tokens; "
            + (f"batches of {size:,}" if stage.data.global_batch is None else f"at most {size:,} at once")
        )
    yield f"learning rate {stage.model.adam.learning_rate:g}, noise {stage.model.objective.sigma}"


def _data(stage: Stage) -> Iterator[str]:
    try:
        stage.open()
    except ValueError as error:
        yield f"data: {error}"
        return
    yield from stage.data.describe()


def _steps(stage: Stage) -> Iterator[str]:
    """How long the stage is. Without data that is known where all batches have one size."""
    ranks, accumulated = stage.ranks()
    accumulated = stage.data.accumulated(stage.tokens(), ranks, accumulated)
    batches, num_samples = ranks * accumulated, stage.cli.built.num_samples
    sizes = set(stage.data.batch_sizes(stage.tokens()))
    if global_batch := stage.data.global_batch:
        yield f"steps of {global_batch:,} samples: {ranks:,} x {accumulated:,} batches of {global_batch // batches:,}"
        sizes = {global_batch // batches}
    if stage.data.is_open:
        stage.data.share_steps(*stage.ranks())
        steps, seen = stage.num_steps(), stage.data.samples_at(stage.num_steps())
        yield f"{steps:,} steps of {batches:,} {'batch' if batches == 1 else 'batches'} see {seen:,} samples"
    elif len(sizes) == 1:
        a_step = batches * sizes.pop()
        yield f"{num_samples // a_step:,} steps of {a_step:,} samples"
    else:
        yield f"steps of {batches:,} batches that see {num_samples:,} samples; their number depends on the data"
