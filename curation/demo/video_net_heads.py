"""What the demo video network's features tell: linear readouts, one a question, and how often they are right.

They teach the network, and measure it afterwards; the metric takes the features alone.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from curation.demo.backgrounds import FAMILIES
from curation.demo.motion import CAMERA_MOVES
from curation.demo.shapes import COLOURS, SHAPES
from curation.demo.video_net_data import MOVES, Clips
from curation.demo.video_net_model import FOLDER, LAYERS, as_input, features

WEIGHTS = "heads.safetensors"


@dataclass(frozen=True)
class Figures:
    """How much of a clip a linear readout of its features tells, over held-out clips."""

    background: float
    """Share of clips whose background is named right, of ten."""
    camera: float
    """Share of clips whose camera move is named right, of five."""
    colours: float
    """Share of things' colours among the likeliest of each clip, as many as it has."""
    shapes: float
    """The same of shapes."""
    moves: float
    """The same of what things do (eight directions, turns, grows, shrinks, stands), whatever their colour."""
    velocity_r2: float
    """Share of the variance of the things' mean velocity that is told."""


class Heads(nn.Module):
    """Linear readouts of the features, one a question."""

    def __init__(self):
        super().__init__()
        width = LAYERS[-1]["channels"]
        sizes = {"background": len(FAMILIES), "camera": len(CAMERA_MOVES), "shapes": len(SHAPES), "velocity": 2}
        sizes |= {"colours": len(COLOURS), "moves": len(MOVES), "doings": len(COLOURS) * len(MOVES)}
        self.of = nn.ModuleDict({name: nn.Linear(width, size) for name, size in sizes.items()})

    def forward(self, seen: Tensor) -> dict[str, Tensor]:
        """Features float32 (B, D) to answers float32 (B, size) by the question's name."""
        return {name: head(seen) for name, head in self.of.items()}


def save_heads(heads: Heads, folder: Path = FOLDER) -> None:
    """Writes the readouts in half precision."""
    save_file({name: weight.detach().half() for name, weight in heads.state_dict().items()}, folder / WEIGHTS)


def load_heads(folder: Path = FOLDER) -> Heads:
    """Loads the readouts in float32."""
    heads = Heads()
    heads.load_state_dict({name: weight.float() for name, weight in load_file(folder / WEIGHTS).items()})
    return heads.eval().requires_grad_(False)


@torch.inference_mode()
def seen_of(chain: nn.Sequential, clips: Clips) -> Tensor:
    """Features of all clips, float32 (N, D)."""
    parts = np.array_split(clips.frames, max(1, len(clips.frames) // 64))
    return torch.cat([features(chain, as_input(part)) for part in parts])


def evaluate(chain: nn.Sequential, heads: Heads, clips: Clips) -> Figures:
    """Measures features and readouts on clips that training never saw."""
    with torch.inference_mode():
        told = {name: answer.numpy() for name, answer in heads(seen_of(chain, clips)).items()}
    missed = (
        np.square(told["velocity"] - clips.velocity).sum() / np.square(clips.velocity - clips.velocity.mean(0)).sum()
    )
    return Figures(
        background=float((told["background"].argmax(1) == clips.background).mean()),
        camera=float((told["camera"].argmax(1) == clips.camera).mean()),
        colours=_found(told["colours"], clips.doings.max(axis=2)),
        shapes=_found(told["shapes"], clips.shapes),
        moves=_found(told["moves"], clips.doings.max(axis=1)),
        velocity_r2=float(1 - missed),
    )


def _found(told: np.ndarray, marks: np.ndarray) -> float:
    """Share of the marks that are among the likeliest of their clip, as many as it has; (N, size) both."""
    ranks = (-told).argsort(axis=1).argsort(axis=1)
    return float((marks * (ranks < marks.sum(axis=1, keepdims=True))).sum() / marks.sum())
