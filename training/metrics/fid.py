"""Frechet inception distance over the frames of videos (Heusel et al. 2017); "FID-vid" in text-to-video papers."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from training.metrics.frechet import COVARIANCE, FrechetMetric
from training.metrics.metric import Measure, Videos
from training.metrics.torchscript import load_torchscript, scripted_file

INCEPTION = "Inception v3 (StyleGAN's inception-2015-12-05.pt)"


@dataclass(frozen=True)
class FrechetInceptionDistance(FrechetMetric):
    """FID of all frames of the sampled videos against all frames of the real ones."""

    path: str | None = None
    """Inception as TorchScript, called as StyleGAN calls it."""
    batch_size: int = 64
    """Frames a pass."""
    name: str = "fid"
    num_groups: ClassVar[int] = 1  # 2048 features: a sum of products takes 34 MB

    @property
    def protocol(self) -> str:
        """See `Metric`."""
        return (
            f"FID over frames: {INCEPTION}, 2048 features, resized by the network; every frame of every video; "
            f"{COVARIANCE}"
        )

    def weights(self) -> Path | None:
        """See `Metric`."""
        return scripted_file(self.path)

    def load(self, device: torch.device) -> Measure:
        """See `Metric`."""
        network = load_torchscript(self.path, INCEPTION, device, ["return_features"])

        def measure(videos: Videos) -> Tensor:
            frames = videos.frames.flatten(0, 1).permute(0, 3, 1, 2)  # (B*T, 3, H, W)
            parts = [network(part.to(device), return_features=True) for part in frames.split(self.batch_size)]
            return torch.cat(parts).unflatten(0, videos.frames.shape[:2])  # (B, T, 2048)

        return measure
