"""Inception Score of videos: classes of a C3D that was finetuned on UCF-101 (Saito et al. 2020, TGANv2)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.metrics.frames import first_frames, in_parts
from training.metrics.metric import Estimate, Measure, Metric, Videos
from training.metrics.rows import Rows
from training.metrics.torchscript import load_torchscript, scripted_file

SEED = 42
"""StyleGAN-V's."""
C3D = "C3D (StyleGAN-V's c3d_ucf101.pt)"


def inception_score(probabilities: Tensor) -> float:
    """exp of the mean divergence of each video's classes from those of all (Salimans et al. 2016).

    Args:
        probabilities: float64 (N, classes), rows sum to 1.
    """
    tiny = torch.finfo(probabilities.dtype).tiny
    logs, mean = probabilities.clamp(min=tiny).log(), probabilities.mean(dim=0)
    return (probabilities * (logs - mean.clamp(min=tiny).log())).sum(dim=1).mean().exp().item()


@dataclass(frozen=True)
class InceptionScore(Metric):
    """Mean score of equal parts of the videos, shuffled as StyleGAN-V's code does; it rises with their number."""

    path: str | None = None
    """C3D as TorchScript: videos (B, 3, T, H, W), 0..255, to probabilities of classes."""
    num_frames: int = 16
    num_splits: int = 10
    batch_size: int = 16
    name: str = "inception_score"
    better = "higher"

    @property
    def protocol(self) -> str:
        """See `Metric`."""
        return (
            f"Inception Score: {C3D}, resized by the network; first {self.num_frames} frames; mean over "
            f"{self.num_splits} splits of videos shuffled by NumPy's RandomState({SEED})"
        )

    def weights(self) -> Path | None:
        """See `Metric`."""
        return scripted_file(self.path)

    def load(self, device: torch.device) -> Measure:
        """See `Metric`."""
        network = load_torchscript(self.path, C3D, device)

        def measure(videos: Videos) -> Tensor:
            parts = [first_frames(part, self.num_frames) for part in in_parts(videos, self.batch_size)]
            found = torch.cat([network(part.to(device)) for part in parts]).double()  # (B, classes)
            if (found.sum(dim=1) - 1).abs().max() > 1e-3 or found.min() < 0:
                raise ValueError(f"{self.path} gives no probabilities of classes: name that of {C3D} as `path`")
            return found

        return measure

    def new_state(self) -> Rows:
        """See `Metric`."""
        return Rows()

    def summarise(self, fake: Rows, real: Rows) -> Estimate:
        """See `Metric`; papers give the spread of the splits, which is no interval of their mean, so there is none."""
        if len(fake) < 2 * self.num_splits:
            raise ValueError(f"{len(fake)} videos make no {self.num_splits} splits of at least two")
        order = np.random.RandomState(SEED).permutation(len(fake))  # captions in a row are often of one kind
        scores = [inception_score(part) for part in fake.values[order].tensor_split(self.num_splits)]
        return Estimate(sum(scores) / self.num_splits)
