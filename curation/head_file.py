"""Heads over embeddings: small networks of linear layers, in the file formats in which they are published."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from shards.places import is_address, place, stream
from shards.store import atomic_path

_ENDS = ("weight", "bias")


@dataclass(frozen=True)
class Head:
    """Linear layers, one after the other."""

    layers: list[tuple[np.ndarray, np.ndarray]]
    """Of each the weight (out, in) and the bias (out,); float64, so that the number of threads that multiply does not
    show in what is left after rounding to float32."""

    @property
    def width(self) -> int:
        """Numbers of an embedding that it takes."""
        return self.layers[0][0].shape[1]

    def __call__(self, embeddings: np.ndarray, relu: bool) -> np.ndarray:
        """Values of embeddings, (n, width) -> float64 (n, out); with `relu` between the layers."""
        values = embeddings.astype(np.float64)
        for number, (weight, bias) in enumerate(self.layers):
            values = values @ weight.T + bias
            if relu and number < len(self.layers) - 1:
                values = np.maximum(values, 0)
        return values


def read_head(path: Path) -> Head:
    """A head saved by torch or safetensors, read without running anything that the file holds.

    LAION's aesthetic predictors V1 (`weight`, `bias`) and V2 (`layers.0.weight` ... `layers.7.bias`), and any other
    state dict of `nn.Linear`s, in the order of the numbers in their names.

    Raises:
        ValueError: the file is damaged or holds something else; names it.
    """
    try:
        state = _read_state(path)
    except Exception as error:  # torch, zip, pickle and safetensors each raise their own
        raise ValueError(
            f"{path} cannot be read ({type(error).__name__}: {error}); a head is a state dict saved by torch or "
            "safetensors (.safetensors)"
        ) from error
    layers = [(state[f"{name}weight"], state[f"{name}bias"]) for name in _linear_layers(state, path)]
    for (before, _), (after, _) in pairwise(layers):
        if before.shape[0] != after.shape[1]:
            raise ValueError(
                f"{path} is no chain of linear layers: one gives {before.shape[0]}, the next one takes "
                f"{after.shape[1]} numbers"
            )
    return Head(layers)


def _read_state(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        state = load_file(path)
    else:
        import torch

        state = torch.load(path, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state)  # as Lightning saves it
    return {name: value.double().numpy() for name, value in state.items()}


def _linear_layers(state: Mapping[str, np.ndarray], path: Path) -> list[str]:
    """What the names of the layers begin with, in order."""
    names = {name.removesuffix("weight").removesuffix("bias") for name in state}
    is_linear = bool(names) and all(_is_linear(state, name) for name in names)
    if not is_linear or set(state) != {name + end for name in names for end in _ENDS}:
        shapes = {name: tuple(value.shape) for name, value in list(state.items())[:4]}
        raise ValueError(
            f"{path} is no head of linear layers, each with `weight` (out, in) and `bias`: it holds {shapes}"
        )
    return sorted(names, key=_in_order)


def _is_linear(state: Mapping[str, np.ndarray], name: str) -> bool:
    weight, bias = (state.get(name + end) for end in _ENDS)
    return weight is not None and bias is not None and weight.ndim == 2 and bias.shape == weight.shape[:1]


def _in_order(name: str) -> list[int | str]:
    return [int(piece) if piece.isdigit() else piece for piece in re.split(r"(\d+)", name)]


def cached(name: str) -> Path:
    """Where a file of that name lies on this machine: itself, or for an address its copy in the user's cache."""
    if not is_address(name):
        return Path(name).expanduser()
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "rushes"
    return folder / f"{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}-{Path(name.split('?')[0]).name}"


def fetch(name: str) -> Path:
    """The file of that name, brought here if it lies at an address and is not here yet.

    Raises:
        ValueError: there is none, or no way to it; names it and the way out.
    """
    path = cached(name)
    if is_address(name) and not path.exists():
        try:
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                for block in _bytes(name):
                    file.write(block)
        except (OSError, ValueError) as error:
            raise ValueError(f"{name} cannot be had ({error}); download it elsewhere and name the file") from error
    if not path.is_file():
        raise ValueError(f"there is no file {name}; paths count from the folder where the command runs")
    return path


def _bytes(address: str) -> Iterator[bytes]:
    where = place(address)
    if isinstance(where, Path):  # file://
        return iter([where.read_bytes()])
    return stream(where)
