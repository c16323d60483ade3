"""Weights as safetensors files, each whole or not there."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from shards.store import atomic_path


def save_weights(path: Path, weights: Mapping[str, Tensor], told: Mapping[str, str] | None = None) -> None:
    """Writes tensors by name, from whatever device.

    Args:
        path: of the file; what stands there is replaced.
        weights: of any dtype and shape.
        told: what the file says of itself.

    Raises:
        OSError: it cannot be written, as on a full disk; what stood there is as before.
    """
    plain = {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
    try:
        with atomic_path(path) as temporary:
            save_file(plain, temporary, metadata=dict(told) if told else None)
    except (OSError, SafetensorError) as error:  # the library has an exception of its own for a full disk
        raise OSError(f"{path} cannot be written ({error}): once it can, the same command goes on") from error
