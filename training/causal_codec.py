"""Latents of a video as a whole: a causal autoencoder, which also makes them fewer in time."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.autoencoder import autoencoder_folder, load_autoencoder
from training.codec import LatentCodec

KINDS = ("AutoencoderKLCogVideoX",)


class CausalCodec(LatentCodec):
    """The `AutoencoderKLCogVideoX` of diffusers (CogVideoX, arXiv 2408.06072, section 2.1).

    The first frame becomes one latent frame, every `time_factor` further ones another. Convolutions look back in time
    alone; the norms look at the eight frames that diffusers encodes at once. Latents are the posterior's mean. Given
    frames are encoded as videos of one frame and, other than SVD's, scaled as all latents are: so does CogVideoX's
    image to video.
    """

    located_by = ("path", "subfolder")

    def __init__(self, path: str, subfolder: str = "", factor: int = 8, time_factor: int = 4, channels: int = 16):
        """Reads nothing yet.

        Args:
            path: folder or hub name of a diffusers model.
            subfolder: where in it the autoencoder lies, e.g. `vae` in a pipeline.
            factor: pixels a latent, along each side.
            time_factor: frames a latent frame, after the first.
            channels: of the latents.
        """
        self.path, self.subfolder = path, subfolder
        self.factor, self.time_factor, self.channels = factor, time_factor, channels

    def shape(self, num_frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        """See `LatentCodec`."""
        if height % self.factor or width % self.factor:
            raise ValueError(f"frames of {width}x{height} px: width and height must be multiples of {self.factor}")
        in_pass = 2 * self.time_factor  # diffusers decodes two latent frames at a time, and more frames of an odd one
        passes, rest = divmod(num_frames - 1, in_pass)
        if rest:
            near = f"{1 + in_pass * passes} or {1 + in_pass * (passes + 1)}"
            raise ValueError(f"{num_frames} frames: this autoencoder takes 1 + a multiple of {in_pass}, so {near}")
        return 1 + 2 * passes, self.channels, height // self.factor, width // self.factor

    def weights(self) -> Path:
        """See `LatentCodec`; what a hub holds is brought here."""
        return autoencoder_folder(self.path, self.subfolder)

    def load(self, device: torch.device, dtype: torch.dtype) -> None:
        """See `LatentCodec`."""
        model = load_autoencoder(self.path, self.subfolder, KINDS, dtype)
        self._check(model.config)
        self._scale, self._shift = model.config.scaling_factor, model.config.get("shift_factor") or 0.0
        self._model: Any = model.to(device)

    def _check(self, config: Any) -> None:
        found = {
            "factor": 2 ** (len(config.block_out_channels) - 1),
            "time_factor": int(config.temporal_compression_ratio),
            "channels": config.latent_channels,
        }
        for name, value in found.items():
            if value != getattr(self, name):
                raise ValueError(
                    f"the autoencoder {self.path!r} has {name} {value}, the configuration says {getattr(self, name)}: "
                    f"set model.codec.init_args.{name}"
                )

    @torch.no_grad()
    def encode(self, frames: Tensor) -> Tensor:
        """See `LatentCodec`."""
        pixels = frames.permute(0, 4, 1, 2, 3).to(self._model.dtype) / 127.5 - 1  # (B, 3, T, H, W)
        return torch.cat([self._latents(video) for video in pixels.split(1)])  # (B, T', C, h, w)

    @torch.no_grad()
    def encode_given(self, pixels: Tensor) -> Tensor:
        """See `LatentCodec`."""
        alone = pixels.flatten(0, 1)[:, :, None].to(self._model.dtype)  # (B * K, 3, 1, H, W)
        latents = torch.cat([self._latents(frame) for frame in alone.split(1)])  # (B * K, 1, C, h, w)
        return latents[:, 0].unflatten(0, pixels.shape[:2])  # (B, K, C, h, w)

    def _latents(self, pixels: Tensor) -> Tensor:
        means = self._model.encode(pixels).latent_dist.mode().float()  # (1, C, T', h, w)
        return (means.transpose(1, 2) - self._shift) * self._scale  # (1, T', C, h, w)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """See `LatentCodec`."""
        unscaled = (latents / self._scale + self._shift).transpose(1, 2).to(self._model.dtype)  # (B, C, T', h, w)
        pixels = torch.cat([self._model.decode(video).sample.float() for video in unscaled.split(1)])  # (B, 3, T, H, W)
        return ((pixels + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 4, 1)
