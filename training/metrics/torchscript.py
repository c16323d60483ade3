"""Frozen networks that others published as TorchScript, from a local file."""

import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch


def scripted_file(path: str | None) -> Path | None:
    """The file, if it is there."""
    return Path(path) if path and Path(path).is_file() else None


def load_torchscript(path: str | None, network: str, device: torch.device, options: Sequence[str] = ()) -> Any:
    """Loads a network. Its file holds code as well as numbers: take it from those who published it.

    Args:
        path: of the file.
        network: what it is and where it comes from, for messages.
        device: where it goes.
        options: by which it is called.

    Raises:
        ValueError: the file is not there, is no TorchScript, or is called otherwise; says what to do.
    """
    file = scripted_file(path)
    if file is None:
        there = f"there is no file {path!r}" if path else "none is named"
        raise ValueError(f"needs the weights of {network}, and {there}: fetch them, and name the file as `path`")
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file} is no TorchScript file: name that of {network} as `path`")
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # published in no newer form
            found: Any = torch.jit.load(str(file), map_location=device).eval()
    except RuntimeError as error:  # torch's own, of many lines
        words = " ".join(str(error).split())[:200]
        raise ValueError(f"{file} cannot be loaded ({words}): name the TorchScript of {network} as `path`") from error
    known = [argument.name for argument in found.forward.schema.arguments]
    if not {*options} <= {*known}:
        raise ValueError(f"{file} is not called as {network}, with {', '.join(options)}: name that file as `path`")
    return found
