"""Loads diffusers' autoencoders, frozen, from a folder or a hub."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from shards.store import read_json
from training.hub import local_copy


def autoencoder_folder(path: str, subfolder: str) -> Path:
    """The local folder of an autoencoder; what a hub holds is brought here.

    Raises:
        ValueError: it cannot be had.
    """
    try:
        return local_copy(path, subfolder, "--model.codec.init_args.path")
    except ValueError as error:
        raise ValueError(f"the autoencoder {path!r} cannot be loaded: {error}") from error


def load_autoencoder(path: str, subfolder: str, kinds: Sequence[str], dtype: torch.dtype) -> Any:
    """An autoencoder of one of the kinds, class names of diffusers, with all of its weights.

    Raises:
        ValueError: it cannot be had, or is of another kind; names the setting and the way out.
    """
    import diffusers

    folder = autoencoder_folder(path, subfolder)
    try:
        kind = str(read_json(folder / "config.json").get("_class_name"))
        if kind not in kinds:
            raise ValueError(f"it is a {kind}, not one of {', '.join(kinds)}")
        model, loaded = getattr(diffusers, kind).from_pretrained(
            folder, torch_dtype=dtype, low_cpu_mem_usage=False, output_loading_info=True
        )
        if loaded["missing_keys"]:
            raise ValueError(f"its file lacks {len(loaded['missing_keys'])} of its weights")
    except Exception as error:  # a hub, a cache, a file: each library raises its own
        raise ValueError(
            f"the autoencoder {path!r} cannot be loaded ({' '.join(str(error).split())[:300]}). "
            "With no network name a local diffusers folder: --model.codec.init_args.path=<folder>"
        ) from error
    return model.eval().requires_grad_(False)
