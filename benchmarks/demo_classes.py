"""A stand-in for C3D, whose classes Inception Score takes: the demo's video network and its readout of backgrounds."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from curation.demo.video_net_heads import load_heads
from curation.demo.video_net_model import load


class DemoClasses(nn.Module):
    """Which of the ten backgrounds of the rendered world a video shows."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = load()
        self.readout = load_heads().of["background"]

    def forward(self, videos: Tensor) -> Tensor:
        """Videos float32 (B, 3, T, 64, 96), 0..255, to probabilities float32 (B, 10)."""
        seen = self.chain(videos / 127.5 - 1).mean(dim=(2, 3, 4))
        return self.readout(seen).softmax(dim=1)


def write_classes(path: Path) -> str:
    """Writes the network as TorchScript, as the metric takes it; gives the path."""
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # the metric takes no newer form
        torch.jit.script(DemoClasses().eval()).save(str(path))
    return str(path)
