"""A codec whose latents depend on where a window begins, as those of causal video autoencoders do."""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from training.codec import LatentCodec


class TemporalCodec(LatentCodec):
    """The mean of all frames so far, in patches of 8x8 pixels."""

    located_by = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def weights(self) -> Path | None:
        return Path(self.path)

    def shape(self, num_frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        return num_frames, 4, height // 8, width // 8

    def load(self, device: torch.device, dtype: torch.dtype) -> None:
        pass

    def encode(self, frames: Tensor) -> Tensor:
        so_far = (frames.float() / 127.5 - 1).cumsum(1) / torch.arange(1, frames.shape[1] + 1)[:, None, None, None]
        pooled = avg_pool2d(so_far.flatten(0, 1).permute(0, 3, 1, 2), 8).unflatten(0, frames.shape[:2])
        return torch.cat([pooled, pooled[:, :, :1]], 2)  # (B, T, 4, h, w)

    def encode_given(self, pixels: Tensor) -> Tensor:
        raise NotImplementedError

    def decode(self, latents: Tensor) -> Tensor:
        raise NotImplementedError
