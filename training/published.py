"""Weights that were published: finds them, and fills a denoiser with them so that every tensor is accounted for.

What a tensor is called there, and what may be missing, each denoiser says by itself (`training/denoisers`).
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from shards.store import read_json
from training.denoisers.denoiser import Denoiser, with_inputs
from training.hub import local_copy

KEY = "--init_weights"
WEIGHTS = re.compile(r"diffusion_pytorch_model(-\d+-of-\d+)?\.safetensors")
SHOWN = 3


@dataclass(frozen=True)
class Taken:
    """What became of every tensor of a denoiser."""

    num_taken: int
    """Tensors that were published."""
    fresh: dict[str, int]
    """Tensors that were not, by the part that they belong to; they keep the values of a new model."""
    input_channels: tuple[int, int] | None
    """Published, and here, where they differ: further ones here start at zero, further ones there are left out."""

    def __str__(self) -> str:
        """For people."""
        told = [f"{self.num_taken} tensors taken"] + [
            f"{number} of {part} fresh" for part, number in self.fresh.items()
        ]
        if self.input_channels:
            there, here = self.input_channels
            told.append(
                f"the first {here} of {there} input channels" if there > here else f"{here - there} zero inputs"
            )
        return ", ".join(told)


def find(name: str, denoiser: Denoiser) -> Path:
    """The folder that holds `config.json` and weights, or the single file.

    Args:
        name: such a folder or file, a diffusers pipeline's folder, or the pipeline's name on the Hugging Face hub.
        denoiser: says where in a pipeline its weights lie.

    Raises:
        ValueError: they cannot be had, or there are none for this denoiser.
    """
    part = denoiser.published_in
    if part is None:
        raise ValueError(f"{type(denoiser).__name__} cannot start from published weights: {KEY}=null")
    return local_copy(name, "" if (Path(name) / "config.json").exists() else part, KEY)


def fill(denoiser: Denoiser, path: Path) -> Taken:
    """Fills a denoiser.

    Args:
        denoiser: a new one; unchanged if an error is raised.
        path: what `find` gave.

    Raises:
        ValueError: the weights cannot be read, or are not those of this architecture; names tensors and shapes.
    """
    try:
        if path.is_dir():
            denoiser.check_published(read_json(path / "config.json"))
        weights = denoiser.to_diffusers(_read(path))
        return _take(denoiser, weights)
    except Exception as error:  # missing, damaged or other files: each library raises its own
        words = " ".join(str(error).split())[:600]
        raise ValueError(f"{path} does not hold the weights of this denoiser: {words}; see model.denoiser") from error


def _read(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, or of the files of a folder; variants of lower precision are passed over."""
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if WEIGHTS.fullmatch(file.name))
    if not files:
        raise ValueError("there is no diffusion_pytorch_model.safetensors")
    return {name: weight for file in files for name, weight in load_file(file).items()}


@torch.no_grad()
def _take(denoiser: Denoiser, weights: Mapping[str, Tensor]) -> Taken:
    own = denoiser.state_dict()
    names = {name: denoiser.published_name(name) for name in own}
    taken = {name: weights[there] for name, there in names.items() if there in weights}
    inputs = _fit_inputs(denoiser, own, taken)
    missing = Counter(denoiser.optional_part(name) for name in own if name not in taken)
    odd = [name for name, weight in taken.items() if weight.shape != own[name].shape]
    problems = {
        "are of another shape": [f"{names[n]} {_shape(taken[n])} there, {_shape(own[n])} here" for n in odd],
        "are missing": _torn(denoiser, names, missing, taken),
        "are of no use here": sorted(set(weights) - set(names.values())),
    }
    if told := [_told(what, found) for what, found in problems.items() if found]:
        raise ValueError("; ".join(told))
    for name, weight in taken.items():
        own[name].copy_(weight)
    for part in missing:
        denoiser.start_without(str(part))
    return Taken(len(taken), {str(part): number for part, number in missing.items()}, inputs)


def _torn(denoiser: Denoiser, names: Mapping[str, str], missing: Counter, taken: Mapping[str, Tensor]) -> list[str]:
    """What is missing and may not: an optional part may be, as a whole."""
    sizes = Counter(denoiser.optional_part(name) for name in names)
    torn = {part for part, number in missing.items() if part is None or number < sizes[part]}
    return [there for name, there in names.items() if name not in taken and denoiser.optional_part(name) in torn]


def _fit_inputs(denoiser: Denoiser, own: Mapping[str, Tensor], taken: dict[str, Tensor]) -> tuple[int, int] | None:
    """Gives the layer that reads the latents as many input channels as it has here."""
    name = denoiser.input_layer
    if name not in taken or taken[name].shape[1] == own[name].shape[1]:
        return None
    there, here = taken[name].shape[1], own[name].shape[1]
    taken[name] = with_inputs(taken[name], here)
    return there, here


def _shape(weight: Tensor) -> str:
    return str(tuple(weight.shape))


def _told(what: str, names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} tensors {what}: {', '.join(names[:SHOWN])}{more}"
