"""Frechet video distance: features of an I3D that was trained on Kinetics-400 (Unterthiner et al. 2018)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from training.metrics.frames import first_frames, in_parts, resized
from training.metrics.frechet import COVARIANCE, FrechetMetric
from training.metrics.metric import Measure, Videos
from training.metrics.torchscript import load_torchscript, scripted_file

I3D = "I3D (StyleGAN-V's i3d_torchscript.pt)"
OPTIONS = ("rescale", "resize", "return_features")
FEATURES = "400 outputs before the softmax"
SIDE_PX = 224
SVD_SCALED, SVD_CUT = (240, 432), (240, 320)

Variant = Literal["stylegan-v", "videogpt", "tats", "svd"]


@dataclass(frozen=True)
class FrechetVideoDistance(FrechetMetric):
    """FVD in one of four published ways; numbers of different ways are not to be compared."""

    path: str | None = None
    """I3D as TorchScript, called as StyleGAN-V calls it."""
    variant: Variant = "stylegan-v"
    """`stylegan-v` (Skorokhodov et al. 2022): the network resizes and scales. `videogpt` (Yan et al. 2021): the short
    side goes to 224 px before, bilinear, of which the middle square is taken, scaled to -1..1 as the tools that
    offer it do (VideoGPT's own code leaves -0.5..0.5). `tats` (Ge et al. 2022): frames are resized to 224x224 px
    before, bilinear, whatever their shape, and scaled to -1..1. `svd` (Blattmann et al. 2023, appendix E.4): frames of
    576x320 px go to 432x240, antialiased, of which the middle 320x240 goes the first way."""
    num_frames: int = 16
    batch_size: int = 16
    name: str = "fvd"

    @property
    def protocol(self) -> str:
        """See `Metric`."""
        frames = f"first {self.num_frames} frames"
        return f"FVD, {self.variant}: {I3D}, {FEATURES}; {WAYS[self.variant].told}; {frames}; {COVARIANCE}"

    def weights(self) -> Path | None:
        """See `Metric`."""
        return scripted_file(self.path)

    def load(self, device: torch.device) -> Measure:
        """See `Metric`."""
        network, way = load_torchscript(self.path, I3D, device, OPTIONS), WAYS[self.variant]

        def measure(videos: Videos) -> Tensor:
            parts = [first_frames(part, self.num_frames) for part in in_parts(videos, self.batch_size)]
            return torch.cat([way.run(network, part.to(device)) for part in parts])  # (B, 400)

        return measure


@dataclass(frozen=True)
class Way:
    """How videos go into I3D."""

    told: str
    run: Callable[[Any, Tensor], Tensor]
    """Network and videos, float32 (B, 3, T, H, W), 0..255, to features (B, 400)."""


def _by_network(network: Any, videos: Tensor) -> Tensor:
    return network(videos, rescale=True, resize=True, return_features=True)


def _before(network: Any, videos: Tensor) -> Tensor:
    scaled = resized(videos, SIDE_PX, SIDE_PX, antialias=False) / 127.5 - 1
    return network(scaled, rescale=False, resize=False, return_features=True)


def _middle_square(network: Any, videos: Tensor) -> Tensor:
    height, width = (math.ceil(SIDE_PX * side / min(videos.shape[3:])) for side in videos.shape[3:])
    frames = resized(videos, height, width, antialias=False)
    top, left = (height - SIDE_PX) // 2, (width - SIDE_PX) // 2
    return _before(network, frames[..., top : top + SIDE_PX, left : left + SIDE_PX])


def _of_svd(network: Any, videos: Tensor) -> Tensor:
    height, width = videos.shape[3:]
    if abs(width / height - SVD_SCALED[1] / SVD_SCALED[0]) > 0.01:
        raise ValueError(f"the way of svd takes frames of 576x320 px or their shape, not {width}x{height}")
    scaled = resized(videos, *SVD_SCALED, antialias=True)
    left = (SVD_SCALED[1] - SVD_CUT[1]) // 2
    return _by_network(network, scaled[..., left : left + SVD_CUT[1]])


WAYS: dict[Variant, Way] = {
    "stylegan-v": Way("rescale=True, resize=True", _by_network),
    "videogpt": Way(
        "short side to 224, bilinear, middle 224x224 scaled to -1..1 before, rescale=False, resize=False",
        _middle_square,
    ),
    "tats": Way("bilinear to 224x224 and scaled to -1..1 before, rescale=False, resize=False", _before),
    "svd": Way("bilinear with antialias to 432x240, middle 320x240, rescale=True, resize=True", _of_svd),
}
