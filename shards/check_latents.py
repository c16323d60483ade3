"""The tensors of a packed sample that holds latents, against what `training/latents.py` says of them, without torch."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from shards.problem import Bad

FRAMES = {"latents": "NChw", "text": "KLD", "pts": "P", "second": "1"}
"""The tensors of a codec that encodes each frame by itself, with a letter for each dimension."""
WINDOWS = {"latents": "WTChw", "text": "KLD", "fps": "W", "start_s": "W"}
"""Those of another codec."""
KEPT = ("latents", "text")
"""What the encoders give, in fewer bits; the others are float64."""
TYPES = {"F16": "<f2", "BF16": "<u2", "F64": "<f8"}
"""safetensors' name of a type -> numpy's, which has no bfloat16."""


def check_latents(meta: Mapping[str, Any], data: bytes) -> None:
    """Whether a file holds the latents of a sample.

    Args:
        meta: the sample's fields, as in its json.
        data: a safetensors file.

    Raises:
        Bad: it does not; says which tensor.
        safetensors.SafetensorError: names, shapes and bytes do not fit each other.
    """
    from safetensors import deserialize  # not every set needs it

    found: dict[str, Any] = dict(deserialize(data))
    shapes = next((shapes for shapes in (FRAMES, WINDOWS) if set(shapes) == set(found)), None)
    if shapes is None:
        wanted = " or ".join(", ".join(sorted(shapes)) for shapes in (FRAMES, WINDOWS))
        raise Bad(f"it holds the tensors {', '.join(sorted(found)) or '(none)'}, not {wanted}")
    _check_shapes({name: found[name]["shape"] for name in shapes}, shapes, meta)
    for name, tensor in found.items():
        _check_type(name, tensor["dtype"])
        if not np.isfinite(_numbers(tensor)).all():
            raise Bad(f"its {name} holds what is no finite number")
    _check_times({name: _numbers(found[name]) for name in shapes if name not in KEPT})


def _check_shapes(found: Mapping[str, list[int]], shapes: Mapping[str, str], meta: Mapping[str, Any]) -> None:
    """Equal letters stand for equal sizes, of which some are known: frames, their times, captions."""
    num_texts = sum(bool((caption["text"] or "").strip()) for caption in meta["captions"] or [])
    known = {"N": meta["num_frames"], "P": meta["num_frames"] + 1, "K": num_texts, "1": 1}
    for name, letters in shapes.items():
        shape = found[name]
        wanted = [known.get(letter, letter) for letter in letters]
        fits = len(shape) == len(letters) and all(map(_fits, shape, wanted))
        if not fits:
            raise Bad(f"its {name} has the shape {_told(shape)}, not {_told(wanted)}")
        known |= dict(zip(letters, shape, strict=True))


def _fits(size: int, wanted: int | str) -> bool:
    return size > 0 if isinstance(wanted, str) else size == wanted


def _told(shape: list) -> str:
    return f"({', '.join(map(str, shape))})"


def _check_type(name: str, dtype: str) -> None:
    wanted = ("F16", "BF16") if name in KEPT else ("F64",)
    if dtype not in wanted:
        raise Bad(f"its {name} is of type {dtype}, not {' or '.join(wanted)}")


def _numbers(tensor: Mapping[str, Any]) -> np.ndarray:
    """All numbers of a tensor, flat; bfloat16 is the upper half of a float32."""
    numbers = np.frombuffer(tensor["data"], TYPES[tensor["dtype"]])
    return (numbers.astype("<u4") << 16).view("<f4") if tensor["dtype"] == "BF16" else numbers


def _check_times(times: Mapping[str, np.ndarray]) -> None:
    """Whether frames come one after the other, or windows can be seen; a picture's window has 0 frames a second."""
    if "pts" in times and (times["pts"][0] != 0 or (np.diff(times["pts"]) <= 0).any()):
        raise Bad("its pts do not rise from 0 on")
    if "second" in times and times["second"][0] <= 0:
        raise Bad("its second is not above 0")
    for name in ("fps", "start_s"):
        if name in times and (times[name] < 0).any():
            raise Bad(f"its {name} is below 0")
