"""Which settings of a stage decide its weights, and which only how fast it runs and what is seen of it."""

from math import prod
from typing import Any

# They change how fast a stage runs and what is seen of it, not the weights.
ABOUT_RUNNING = (
    "data.workers",
    "data.shards",
    "data.mixture",
    "data.kept",
    "data.latents",
    "data.num_held_out",
    "data.max_failed",
    "data.sampling_fps",
    "model.sampler",
    "model.guidance",
    "model.compile",
    "model.codec.init_args.batch_size",
    "model.conditioning.given.sampling_noise",
    "model.denoiser.init_args.gradient_checkpointing",
)
OF_THE_TRAINER = ("gradient_clip_algorithm", "gradient_clip_val", "precision")
RANKS = ("devices", "num_nodes", "accumulate_grad_batches")  # of which only the product counts
OF_GLOBAL_BATCH = ("data.batch_size", "data.tokens_per_batch")  # they only cut what `data.global_batch` has fixed


def deciding(whole: dict[str, Any], is_fixed: bool) -> dict[str, Any]:
    """The settings that decide the weights, flat: key to value.

    Args:
        whole: the configuration.
        is_fixed: whether `data.global_batch` fixes the samples of a step, whatever ranks and batches are.
    """
    of_ranks = {} if is_fixed else _ranks(whole["trainer"])
    trainer = {key: whole["trainer"][key] for key in OF_THE_TRAINER} | of_ranks
    kept = {key: whole[key] for key in ("seed_everything", "num_samples", "init_from", "model", "data")}
    left_out = ABOUT_RUNNING + (OF_GLOBAL_BATCH if is_fixed else ())
    return {key: value for key, value in _flat("", kept | {"trainer": trainer}) if not key.startswith(left_out)}


def ranks_told(trainer: Any) -> list[Any]:
    """Numbers, but for devices that only the machine can count: `auto`, -1, a list."""
    told = [trainer[key] for key in RANKS]
    return [int(each) if isinstance(each, str) and each.isdecimal() else each for each in told]


def _ranks(trainer: dict[str, Any]) -> dict[str, Any]:
    """Batches of a step over all ranks, where the configuration tells; a stage may go on with other ranks."""
    told = ranks_told(trainer)
    if all(isinstance(number, int) and number > 0 for number in told):
        return {"batches_per_step": prod(told)}
    return dict(zip(RANKS, told, strict=True))


def _flat(prefix: str, value: Any) -> Any:
    if not isinstance(value, dict):
        yield prefix, value
        return
    for key, child in value.items():
        yield from _flat(f"{prefix}.{key}" if prefix else key, child)
