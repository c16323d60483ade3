"""Between pixels and latents. The codec is frozen and is never part of a checkpoint."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.autoencoder import autoencoder_folder, load_autoencoder

OF_VIDEO = "AutoencoderKLTemporalDecoder"
KINDS = ("AutoencoderKL", OF_VIDEO)


class LatentCodec(ABC):
    """A frozen autoencoder; weights are loaded by `load`, not before."""

    frame_by_frame: bool = False
    """Whether each frame is encoded by itself, so that latents of a clip hold those of every window of it."""
    located_by: tuple[str, ...] = ()
    """Arguments that only tell where local weights lie: two codecs that differ in them alone give equal latents."""

    @abstractmethod
    def shape(self, num_frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Shape (T, C, H, W) of the latents of a video; reads no weights.

        Raises:
            ValueError: the codec cannot encode that size.
        """

    def weights(self) -> Path | None:
        """Folder or file of the weights, if they are local: what a stage was trained with is told by its hash."""
        return None

    @abstractmethod
    def load(self, device: torch.device, dtype: torch.dtype) -> None:
        """Loads the weights.

        Raises:
            ValueError: they cannot be had; names the setting and the way out.
        """

    @abstractmethod
    def encode(self, frames: Tensor) -> Tensor:
        """Frames uint8 (B, T, H, W, 3) RGB to latents float32 (B, T, C, h, w) of about unit variance."""

    @abstractmethod
    def encode_given(self, pixels: Tensor) -> Tensor:
        """Frames that a stage is given, each by itself: float32 (B, K, 3, H, W), about -1..1, to latents float32
        (B, K, C, h, w) as the image to video of the codec's family takes them: SVD's as the autoencoder gives them,
        not scaled."""

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, T, C, h, w) to frames uint8 (B, T, H, W, 3) RGB."""


class DiffusersCodec(LatentCodec):
    """An `AutoencoderKL` of diffusers, which takes each frame by itself, or the `AutoencoderKLTemporalDecoder` of SVD.

    Both encode frame by frame; latents are the posterior's mean. The temporal decoder looks at the frames of a video
    together, `batch_size` of them at once.
    """

    frame_by_frame = True
    located_by = ("path", "subfolder")

    def __init__(self, path: str, subfolder: str = "", factor: int = 8, channels: int = 4, batch_size: int = 64):
        """Reads nothing yet.

        Args:
            path: folder or hub name of a diffusers model.
            subfolder: where in it the autoencoder lies, e.g. `vae` in a pipeline.
            factor: pixels a latent, along each side.
            channels: of the latents.
            batch_size: frames a pass; lower it when memory runs out.
        """
        self.path, self.subfolder = path, subfolder
        self.factor, self.channels, self.batch_size = factor, channels, batch_size

    def shape(self, num_frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        """See `LatentCodec`."""
        if height % self.factor or width % self.factor:
            raise ValueError(f"frames of {width}x{height} px: width and height must be multiples of {self.factor}")
        return num_frames, self.channels, height // self.factor, width // self.factor

    def weights(self) -> Path:
        """See `LatentCodec`; what a hub holds is brought here."""
        return autoencoder_folder(self.path, self.subfolder)

    def load(self, device: torch.device, dtype: torch.dtype) -> None:
        """See `LatentCodec`."""
        model = load_autoencoder(self.path, self.subfolder, KINDS, dtype)
        self._check(model.config)
        self.model: Any = model.to(device)
        self._sees_time = type(model).__name__ == OF_VIDEO

    def _check(self, config) -> None:
        factor, channels = 2 ** (len(config.block_out_channels) - 1), config.latent_channels
        if (factor, channels) != (self.factor, self.channels):
            raise ValueError(
                f"the autoencoder {self.path!r} has factor {factor} and {channels} channels, the configuration says "
                f"{self.factor} and {self.channels}: set model.codec.init_args.factor and .channels"
            )
        self._scale, self._shift = config.scaling_factor, config.get("shift_factor") or 0.0

    @torch.no_grad()
    def encode(self, frames: Tensor) -> Tensor:
        """See `LatentCodec`."""
        pixels = frames.flatten(0, 1).permute(0, 3, 1, 2)  # (B*T, 3, H, W)
        latents = [self._encode(part) for part in pixels.split(self.batch_size)]
        return torch.cat(latents).unflatten(0, frames.shape[:2])  # (B, T, C, h, w)

    def _encode(self, pixels: Tensor) -> Tensor:
        means = self._means(pixels.to(self.model.dtype) / 127.5 - 1)  # (N, C, h, w)
        return (means - self._shift) * self._scale

    @torch.no_grad()
    def encode_given(self, pixels: Tensor) -> Tensor:
        """See `LatentCodec`."""
        means = [self._means(part.to(self.model.dtype)) for part in pixels.flatten(0, 1).split(self.batch_size)]
        return torch.cat(means).unflatten(0, pixels.shape[:2])  # (B, K, C, h, w)

    def _means(self, pixels: Tensor) -> Tensor:
        return self.model.encode(pixels).latent_dist.mode().float()

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """See `LatentCodec`."""
        unscaled = latents / self._scale + self._shift  # (B, T, C, h, w)
        apart = unscaled if self._sees_time else unscaled.flatten(0, 1)[None]  # else the frames of all videos in one
        parts = [part for video in apart for part in video.split(self.batch_size)]  # of (N, C, h, w)
        pixels = torch.cat([self._decode(part) for part in parts])  # (B*T, 3, H, W)
        return pixels.permute(0, 2, 3, 1).unflatten(0, latents.shape[:2])

    def _decode(self, latents: Tensor) -> Tensor:
        time = {"num_frames": len(latents)} if self._sees_time else {}
        pixels = self.model.decode(latents.to(self.model.dtype), **time).sample.float()
        return ((pixels + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
