"""How much memory a stage takes on each device, by part: an estimate that needs neither weights nor the device.

Not counted: the codec and the text encoder, what a library keeps for itself, and the allocator's fragments.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from training.bucket import Bucket
from training.inventory import count
from training.module import StageModule
from training.work import blank_inputs, without_values

WIDE, NARROW = 4, 2  # bytes of float32, and of bfloat16 or float16


@dataclass(frozen=True)
class Memory:
    """Bytes on one device, by part."""

    weights: float
    gradients: float
    moments: float
    """AdamW's two."""
    averages: float
    copies: float
    """Of the weights in the precision of the matrix products, where the weights themselves have another."""
    activations: tuple[float, float]
    """At least, if all are of two bytes, and at most, if all are of four: mixed precision lies between."""

    @property
    def total(self) -> tuple[float, float]:
        """At least, and at most."""
        held = self.weights + self.gradients + self.moments + self.averages + self.copies
        return held + self.activations[0], held + self.activations[1]


def held(module: StageModule, precision: str, num_shards: int = 1, activations: float = 0) -> Memory:
    """Memory of a stage whose trainable parameters are selected.

    Args:
        module: the stage.
        precision: as Lightning's trainer calls it, such as `bf16-mixed`.
        num_shards: devices that share the parameters and all that is of their size.
        activations: float32 bytes of a batch, see `activation_bytes`.
    """
    numbers, is_mixed = count(module.denoiser), "mixed" in precision
    size = NARROW if "16" in precision and not is_mixed else WIDE
    total, trainable = numbers.num_total / num_shards, numbers.num_trainable / num_shards
    num_averages = len(module.ema_decays) + len(module.ema_sigma_rels)
    averaged = trainable * WIDE + (total - trainable) * size
    least = activations / 2 if "16" in precision else activations
    return Memory(
        weights=total * size,
        gradients=trainable * size,
        moments=2 * trainable * size,
        averages=num_averages * averaged,
        copies=total * NARROW if is_mixed else 0,
        activations=(least, least if size == NARROW else activations),
    )


def activation_bytes(module: StageModule, bucket: Bucket, text_shape: tuple[int, int]) -> int:
    """The most that forward and backward of one sample hold beside weights and gradients, in float32.

    Attention is that of a fused kernel, which does not keep its matrix.

    Args:
        module: the stage; activations that it checkpoints count only while a block is computed again.
        bucket: whose latents.
        text_shape: (L, D) of a caption's features.
    """
    denoiser = without_values(module.denoiser).train()
    for parameter in denoiser.parameters():  # a gradient is told as another part
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(_drop_gradient)
    inputs = blank_inputs(module, bucket, 1, text_shape)
    live = _Live(*denoiser.parameters(), *denoiser.buffers())
    with torch.enable_grad(), _fused_attention(), live:
        denoiser(*inputs).square().mean().backward()
    return live.most


def _drop_gradient(parameter: Tensor) -> None:
    parameter.grad = None


class _Live(TorchDispatchMode):
    """Counts the bytes of all tensors that operations made and that something still holds.

    Args:
        known: tensors that do not count.
    """

    def __init__(self, *known: Tensor) -> None:
        super().__init__()
        self.most = self._now = 0
        self._storages = {tensor.untyped_storage()._cdata for tensor in known}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            if isinstance(each, Tensor):
                self._note(each.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata in self._storages:
            return
        self._storages.add(storage._cdata)
        self._now += storage.nbytes()
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._forget, storage._cdata, storage.nbytes())

    def _forget(self, storage: int, size: int) -> None:
        self._storages.discard(storage)
        self._now -= size


@contextmanager
def _fused_attention() -> Iterator[None]:
    """Attention by a fused kernel: tensors without memory would otherwise go through the whole matrix.

    Replaced in its module, since a `TorchFunctionMode` does not reach what is computed again in the backward pass.
    """
    functional = torch.nn.functional
    original = functional.scaled_dot_product_attention
    functional.scaled_dot_product_attention = _attention
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = original


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return fused(query, key, value, 0.0, is_causal, attn_mask=attn_mask, scale=scale)[0]
