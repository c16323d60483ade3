"""What a pass of the denoiser costs, found out on tensors without memory: operations.

Owns the copy of a denoiser that has shapes and no values.
"""

import copy
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from training.bucket import Bucket
from training.conditioning import Conditions
from training.module import StageModule

Module = TypeVar("Module", bound=nn.Module)


def without_values(module: Module, device: str = "meta") -> Module:
    """A copy with the same shapes, types and `requires_grad`, and new tensors in place of the weights.

    Args:
        module: on any device; is not changed, and its values are not read.
        device: of the copy.
    """

    def new(old: Tensor) -> Tensor:
        return torch.empty(old.shape, dtype=old.dtype, device=device)

    memo: dict[int, Tensor] = {id(old): nn.Parameter(new(old), old.requires_grad) for old in module.parameters()}
    memo |= {id(old): new(old) for old in module.buffers()}
    return copy.deepcopy(module, memo)


def set_checkpointing(module: nn.Module, is_on: bool) -> None:
    """Turns the recomputation of activations on or off, where a module knows it (diffusers, transformers)."""
    for each in module.modules():
        if hasattr(each, "gradient_checkpointing") and hasattr(each, "_gradient_checkpointing_func"):
            each.gradient_checkpointing = is_on  # pyright: ignore[reportArgumentType]


def blank_inputs(
    module: StageModule, bucket: Bucket, batch_size: int, text_shape: tuple[int, int], device: str = "meta"
) -> tuple[Tensor, Tensor, Conditions]:
    """Arguments of the denoiser for a batch of a bucket: noisy latents, noise levels, conditions.

    Args:
        module: the stage.
        bucket: whose latents.
        batch_size: samples.
        text_shape: (L, D) of a caption's features.
        device: of the tensors.
    """
    shape = module.codec.shape(bucket.num_frames, bucket.height, bucket.width)
    noisy = torch.empty(batch_size, *shape, device=device)  # (B, T, C, h, w)
    return noisy, torch.empty(batch_size, device=device), module.conditioner.of_nothing(noisy, text_shape)


def flops_of_sample(module: StageModule, bucket: Bucket, text_shape: tuple[int, int]) -> int:
    """Floating-point operations of one sample, forward and backward, as torch counts them: matrix products and
    convolutions, a multiplication and an addition being two.

    What is computed again for checkpointing is not counted, as usual for model FLOPs (PaLM, appendix B); neither are
    codec and text encoder.
    """
    denoiser = without_values(module.denoiser)
    set_checkpointing(denoiser, False)
    with FlopCounterMode(display=False) as counter, torch.enable_grad():
        denoiser(*blank_inputs(module, bucket, 1, text_shape)).sum().backward()
    return counter.get_total_flops()


def flops_of_samples(module: StageModule, buckets: Sequence[Bucket]) -> list[int]:
    """See `flops_of_sample`, for each bucket of a stage whose text encoder is loaded; 0 where torch cannot tell."""
    length, width = module.conditioner.empty.shape[1:]
    return [_or_zero(lambda bucket=bucket: flops_of_sample(module, bucket, (length, width))) for bucket in buckets]


def _or_zero(count: Callable[[], int]) -> int:
    try:
        return count()
    except (RuntimeError, NotImplementedError):  # an architecture that looks at values, which are not there
        return 0
