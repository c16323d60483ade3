"""Latents that are not what the trainer is promised."""

from contextlib import nullcontext

import numpy as np
import pytest
from clipset import gray_clip
from safetensors.numpy import save
from spoil import faults, only_fault, pack

from shards.check_latents import check_latents
from shards.problem import Bad
from shards.sample import Sample

META = {"num_frames": 5, "captions": [{"text": "one"}, {"text": " "}, {"text": None}, {"text": "two"}]}
FRAMES = {
    "latents": np.ones((5, 4, 2, 3), np.float16),
    "text": np.ones((2, 7, 6), np.float16),
    "pts": np.arange(6.0),
    "second": np.array([24.0]),
}
WINDOWS = {
    "latents": np.ones((3, 2, 4, 2, 3), np.float16),
    "text": FRAMES["text"],
    "fps": np.array([8.0, 8.0, 0.0]),
    "start_s": np.array([0.0, 1.0, 0.0]),
}


def without(tensors, *names):
    return {name: tensor for name, tensor in tensors.items() if name not in names}


@pytest.mark.parametrize("tensors", [FRAMES, WINDOWS])
def test_those_that_are_well(tensors):
    check_latents(META, save(tensors))
    check_latents(META | {"captions": None}, save(tensors | {"text": np.ones((0, 7, 6), np.float16)}))


def test_bfloat16_is_read_though_numpy_does_not_know_it():
    import torch
    from safetensors.torch import save as save_tensors

    tensors = {name: torch.from_numpy(tensor) for name, tensor in FRAMES.items()}
    tensors |= {name: tensors[name].bfloat16() for name in ("latents", "text")}
    for value, is_well in ((0.0, True), (-3e38, True), (torch.inf, False), (torch.nan, False)):
        tensors["latents"][4, 3, 1, 2] = value
        with nullcontext() if is_well else pytest.raises(Bad, match=r"^its latents holds what is no finite number$"):
            check_latents(META, save_tensors(tensors))


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        (without(FRAMES, "latents"), "it holds the tensors pts, second, text, not latents, pts, second, text or"),
        (without(FRAMES, "text"), "it holds the tensors latents, pts, second, not"),
        (without(FRAMES, "second"), "it holds the tensors latents, pts, text, not"),
        (without(WINDOWS, "fps"), "it holds the tensors latents, start_s, text, not"),
        (FRAMES | WINDOWS, "it holds the tensors fps, latents, pts, second, start_s, text, not"),
        ({}, "it holds the tensors (none), not"),
        (FRAMES | {"latents": np.ones(1, np.float16)}, "its latents has the shape (1), not (5, C, h, w)"),
        (FRAMES | {"latents": np.ones((4, 4, 2, 3), np.float16)}, "its latents has the shape (4, 4, 2, 3), not (5,"),
        (FRAMES | {"latents": np.ones((5, 4, 0, 3), np.float16)}, "its latents has the shape (5, 4, 0, 3), not (5,"),
        (FRAMES | {"text": np.ones((4, 7, 6), np.float16)}, "its text has the shape (4, 7, 6), not (2, L, D)"),
        (FRAMES | {"pts": np.arange(5.0)}, "its pts has the shape (5), not (6)"),
        (FRAMES | {"second": np.ones(2)}, "its second has the shape (2), not (1)"),
        (WINDOWS | {"fps": np.ones(2)}, "its fps has the shape (2), not (3)"),
        (WINDOWS | {"latents": FRAMES["latents"]}, "its latents has the shape (5, 4, 2, 3), not (W, T, C, h, w)"),
        (FRAMES | {"latents": np.ones((5, 4, 2, 3), np.float32)}, "its latents is of type F32, not F16 or BF16"),
        (FRAMES | {"pts": np.arange(6, dtype=np.float32)}, "its pts is of type F32, not F64"),
        (FRAMES | {"latents": np.full((5, 4, 2, 3), np.nan, np.float16)}, "its latents holds what is no finite"),
        (FRAMES | {"text": np.full((2, 7, 6), np.inf, np.float16)}, "its text holds what is no finite number"),
        (FRAMES | {"pts": np.array([0, 1, 2, 2, 3, 4.0])}, "its pts do not rise from 0 on"),
        (FRAMES | {"pts": np.arange(1, 7.0)}, "its pts do not rise from 0 on"),
        (FRAMES | {"second": np.zeros(1)}, "its second is not above 0"),
        (WINDOWS | {"start_s": np.array([0, 1, -1.0])}, "its start_s is below 0"),
    ],
)
def test_those_that_are_not(tensors, reason):
    with pytest.raises(Bad) as bad:
        check_latents(META, save(tensors))
    assert str(bad.value).startswith(reason)


def test_verify_tells_of_them(tmp_path):
    clip = gray_clip(7, 5)  # with two captions
    whole, broken = (
        Sample(clip.key, save(FRAMES | more), clip.meta, "safetensors") for more in ({}, {"second": np.zeros(1)})
    )
    assert faults(pack(tmp_path / "whole", train=[whole]), "all") == {}
    assert only_fault(pack(tmp_path / "broken", train=[broken]), "none") == (
        "train/00000",
        clip.key,
        "safetensors",
        "its second is not above 0",
    )
