"""What a stage costs, told before it starts: operations and tokens a step, memory by part. Needs no weights."""

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from training.bucket import Bucket
from training.config import Stage
from training.memory import Memory, activation_bytes, held
from training.work import flops_of_sample

PREFIXES = "kMGTPE"
SHARDED = "fsdp2"


def costs(stage: Stage) -> Iterator[str]:
    """Lines about a stage whose trainable parameters are selected: each bucket, then the memory of a device."""
    data, tokens = stage.data, stage.tokens()
    ranks, accumulated = stage.ranks()
    batches = ranks * data.accumulated(tokens, ranks, accumulated)
    most = 0.0
    for bucket, one, size in zip(data.buckets, tokens, data.batch_sizes(tokens), strict=True):
        size = size if data.global_batch is None else min(size, data.global_batch // batches)
        measured = _measured(stage, bucket)
        if measured is None:
            yield "operations and memory: this denoiser looks at values, which are not there before training"
            return
        flops, activations = measured
        samples = size * batches
        most = max(most, size * activations)
        yield (
            f"a step of {samples:,} samples {bucket}: {samples * one:,} tokens, {_si(samples * flops)}FLOP "
            f"({_si(flops)}FLOP a sample, forward and backward)"
        )
    yield _memory(stage, most, ranks)


def _measured(stage: Stage, bucket: Bucket) -> tuple[int, int] | None:
    """Operations of a sample, and bytes of its activations."""
    length = 1 if stage.model.image_encoder else stage.model.text.length()
    text_shape = (length, stage.model.denoiser.text_width)
    with suppress(RuntimeError, NotImplementedError):
        return flops_of_sample(stage.model, bucket, text_shape), activation_bytes(stage.model, bucket, text_shape)
    return None


def _memory(stage: Stage, activations: float, ranks: int) -> str:
    trainer: Any = stage.cli.config.trainer
    shards = ranks if trainer.strategy == SHARDED else 1
    memory = held(stage.model, str(trainer.precision), shards, activations)
    parts = ", ".join(f"{name} {_si(size)}B" for name, size in _parts(memory) if size)
    shared = f", shared by {shards:,} devices" if shards > 1 else ""
    return (
        f"memory of a device: about {_range(memory.total)} = {parts}, activations {_range(memory.activations)}"
        f"{shared}; codec and text encoder come on top"
    )


def _parts(memory: Memory) -> list[tuple[str, float]]:
    names = ("weights", "gradients", "moments", "averages", "copies")
    return [(name, getattr(memory, name)) for name in names]


def _range(sizes: tuple[float, float]) -> str:
    return " to ".join(dict.fromkeys(f"{_si(size)}B" for size in sizes))


def _si(number: float) -> str:
    """Three digits and the prefix of a unit."""
    power = min(max(0, int(math.log10(max(number, 1)) // 3)), len(PREFIXES))
    return f"{number / 1000**power:.3g} {PREFIXES[power - 1] if power else ''}"
