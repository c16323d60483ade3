"""CLIPSIM: how much the frames of a video look like its caption (Wu et al. 2021, GODIVA)."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training.metrics.metric import Measure, Videos
from training.metrics.open_clip_frames import OpenClip
from training.metrics.rows import MeanOfVideos


@dataclass(frozen=True)
class ClipSim(MeanOfVideos):
    """Mean over frames of the cosine of frame and caption, -1..1; papers of text to video take `ViT-B-32` by OpenAI."""

    clip: OpenClip
    name: str = "clipsim"
    better = "higher"

    @property
    def protocol(self) -> str:
        """See `Metric`."""
        return f"CLIPSIM: {self.clip}, cosine of caption and frame, mean over all frames, then over videos"

    def weights(self) -> Path | None:
        """See `Metric`."""
        return self.clip.weights()

    def load(self, device: torch.device) -> Measure:
        """See `Metric`."""
        clip = self.clip.load(device)

        def measure(videos: Videos) -> Tensor:
            seen, said = clip.frames(videos.frames), clip.captions(videos.captions)  # (B, T, D), (B, D)
            return torch.einsum("btd,bd->bt", seen, said).mean(dim=1)

        return measure
