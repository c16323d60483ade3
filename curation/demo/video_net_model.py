"""The demo video network: 3D convolutions whose pooled activations are a clip's features; building, loading, saving.

`config.json` and `model.safetensors` say all of it: a plain chain of convolutions, each with a bias and a ReLU.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

FOLDER = Path(__file__).parent / "weights" / "video_net"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
LAYERS: list[dict[str, Any]] = [
    {"channels": 16, "kernel": [1, 5, 5], "stride": [1, 2, 2]},
    {"channels": 24, "kernel": [3, 3, 3], "stride": [1, 2, 2]},
    {"channels": 64, "kernel": [3, 3, 3], "stride": [1, 2, 2]},
    {"channels": 96, "kernel": [3, 3, 3], "stride": [2, 2, 2]},
    {"channels": 96, "kernel": [3, 3, 3], "stride": [1, 1, 1]},
]
NUM_FRAMES, HEIGHT, WIDTH = 8, 64, 96


def build() -> nn.Sequential:
    """Makes the chain as it is trained, with a batch norm in each layer: float32 (B, 3, T, H, W) to (B, D, t, h, w)."""
    parts: list[nn.Module] = []
    channels = 3
    for layer in LAYERS:
        kernel, stride = tuple(layer["kernel"]), tuple(layer["stride"])
        padding = tuple(side // 2 for side in kernel)
        parts.append(nn.Conv3d(channels, layer["channels"], kernel, stride, padding, bias=False))
        parts += [nn.BatchNorm3d(layer["channels"]), nn.ReLU()]
        channels = layer["channels"]
    return nn.Sequential(*parts)


def folded(chain: nn.Sequential) -> nn.Sequential:
    """The same chain with its batch norms folded into the convolutions: what is saved."""
    trained = chain.eval()
    parts: list[nn.Module] = []
    for place in range(0, len(trained), 3):
        parts += [fuse_conv_bn_eval(trained[place], trained[place + 1]), nn.ReLU()]  # pyright: ignore
    return nn.Sequential(*parts)


def save(chain: nn.Sequential, folder: Path = FOLDER) -> None:
    """Writes a trained chain: config, and weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"num_frames": NUM_FRAMES, "height": HEIGHT, "width": WIDTH, "layers": LAYERS}
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    convolutions = [part for part in folded(chain) if isinstance(part, nn.Conv3d)]
    weights = {f"layers.{n}.{name}": w for n, part in enumerate(convolutions) for name, w in part.named_parameters()}
    save_file({name: weight.detach().half().contiguous() for name, weight in weights.items()}, folder / WEIGHTS)


def load(folder: Path = FOLDER) -> nn.Sequential:
    """Loads a folded chain in float32, ready to use."""
    chain = folded(build())
    weights = load_file(folder / WEIGHTS)
    chain.load_state_dict({_place(name): weight.float() for name, weight in weights.items()})
    return chain.eval().requires_grad_(False)


def _place(name: str) -> str:
    """The name in a file as the folded chain has it: every second part is a ReLU."""
    _, number, kind = name.split(".")
    return f"{2 * int(number)}.{kind}"


def as_input(frames: np.ndarray) -> Tensor:
    """Turns frames, uint8 (B, T, H, W, 3) RGB, into what the chain takes: float32 (B, 3, T, H, W), -1..1."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


def features(chain: nn.Sequential, pixels: Tensor) -> Tensor:
    """Features of clips: float32 (B, 3, T, H, W) to (B, D), activations averaged over place and time."""
    return chain(pixels).mean(dim=(2, 3, 4))
