"""Frozen networks for a Frechet distance where I3D is not at hand, and that distance, which is named a proxy."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from shards.store import read_json
from training.metrics.frames import first_frames, in_parts, resized
from training.metrics.frechet import COVARIANCE, FrechetMetric
from training.metrics.metric import Measure, Videos
from training.metrics.torchscript import load_torchscript, scripted_file

CONFIG, WEIGHTS = "config.json", "model.safetensors"


class FeatureNetwork(ABC):
    """A frozen network of the user's choice; a frozen dataclass whose fields are its YAML."""

    @abstractmethod
    def __str__(self) -> str:
        """For protocols: what it is, and how videos go into it."""

    @abstractmethod
    def weights(self) -> Path | None:
        """File or folder of the weights, if they are there."""

    @abstractmethod
    def load(self, device: torch.device) -> Callable[[Tensor], Tensor]:
        """What turns videos, float32 (B, 3, T, H, W), 0..255, into features float32 (B, D).

        Raises:
            ValueError: weights are missing or are others; says which, and how to get them.
        """


@dataclass(frozen=True)
class VideoNet(FeatureNetwork):
    """A chain of 3D convolutions, described by a folder; the demo's knows the rendered world.

    `config.json`: `height`, `width`, to which frames are resized, and `layers`, each with `channels`, `kernel` and
    `stride` over time, rows and columns. `model.safetensors`: `layers.<n>.weight` and `.bias`. A ReLU follows each;
    features are the last activations, averaged over time and place. Videos may have any length; lengths differ in their
    features, so only equal ones compare.
    """

    path: str
    """The folder."""

    def __str__(self) -> str:
        """See `FeatureNetwork`."""
        return f"video network {Path(self.path).name}, frames resized, bilinear with antialias"

    def weights(self) -> Path | None:
        """See `FeatureNetwork`."""
        return folder if (folder := Path(self.path)).is_dir() else None

    def load(self, device: torch.device) -> Callable[[Tensor], Tensor]:
        """See `FeatureNetwork`."""
        folder = Path(self.path)
        if not folder.is_dir():
            raise ValueError(f"needs a video network, and there is no folder {self.path!r}: name one as `path`")
        try:
            config: dict[str, Any] = read_json(folder / CONFIG)
            chain = convolutions(config["layers"], load_file(folder / WEIGHTS))
            height, width = int(config["height"]), int(config["width"])
        except Exception as error:  # missing, damaged or other files: each library raises its own
            raise ValueError(f"{folder} holds no video network ({' '.join(str(error).split())[:200]})") from error
        chain = chain.to(device).eval().requires_grad_(False)

        def features(videos: Tensor) -> Tensor:
            pixels = resized(videos, height, width, antialias=True) / 127.5 - 1
            return chain(pixels).mean(dim=(2, 3, 4))  # (B, D)

        return features


@dataclass(frozen=True)
class ScriptedNet(FeatureNetwork):
    """A TorchScript of the user's: videos float32 (B, 3, T, H, W), -1..1, at their own size, to features (B, D)."""

    path: str

    def __str__(self) -> str:
        """See `FeatureNetwork`."""
        return f"TorchScript {Path(self.path).name}, frames at their own size, scaled to -1..1"

    def weights(self) -> Path | None:
        """See `FeatureNetwork`."""
        return scripted_file(self.path)

    def load(self, device: torch.device) -> Callable[[Tensor], Tensor]:
        """See `FeatureNetwork`."""
        network = load_torchscript(self.path, "a network of your choice", device)

        def features(videos: Tensor) -> Tensor:
            try:
                found: Any = network(videos / 127.5 - 1)
            except (RuntimeError, torch.jit.Error) as error:  # torch's own, of many lines, whose last says what
                words = " ".join(str(error).strip().split("\n")[-1].split())[:200]
                shape = tuple(videos.shape)
                raise ValueError(f"{self.path} takes no videos (B, 3, T, H, W) of {shape} ({words})") from error
            if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != len(videos):
                told = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
                raise ValueError(f"{self.path} gives {told} for {len(videos)} videos: it takes features (B, D)")
            return found

        return features


@dataclass(frozen=True)
class ProxyFrechetDistance(FrechetMetric):
    """Frechet distance on the features of any frozen network: orders models like FVD might, on a scale of its own."""

    network: FeatureNetwork
    num_frames: int | None = None
    """Of each video's first frames; all by default."""
    batch_size: int = 32
    name: str = "proxy_fd"

    @property
    def protocol(self) -> str:
        """See `Metric`."""
        frames = f"first {self.num_frames} frames" if self.num_frames else "all frames"
        return f"proxy Frechet distance, not FVD: {self.network}; {frames}; {COVARIANCE}"

    def weights(self) -> Path | None:
        """See `Metric`."""
        return self.network.weights()

    def load(self, device: torch.device) -> Measure:
        """See `Metric`."""
        features = self.network.load(device)

        def measure(videos: Videos) -> Tensor:
            number = self.num_frames or videos.frames.shape[1]
            parts = [first_frames(part, number) for part in in_parts(videos, self.batch_size)]
            return torch.cat([features(part.to(device)) for part in parts])

        return measure


def convolutions(layers: Sequence[Mapping[str, Any]], weights: Mapping[str, Tensor]) -> nn.Sequential:
    """The chain that a folder describes: float32 (B, 3, T, H, W) to (B, D, t, h, w).

    Raises:
        RuntimeError: the weights are not those of these layers.
    """
    parts: list[nn.Module] = []
    channels, named = 3, {}
    for number, layer in enumerate(layers):
        kernel, stride = tuple(layer["kernel"]), tuple(layer["stride"])
        parts += [
            nn.Conv3d(channels, layer["channels"], kernel, stride, tuple(side // 2 for side in kernel)),
            nn.ReLU(),
        ]
        channels = layer["channels"]
        named |= {f"layers.{number}.{kind}": f"{2 * number}.{kind}" for kind in ("weight", "bias")}
    chain = nn.Sequential(*parts)
    chain.load_state_dict({named.get(name, name): weight.float() for name, weight in weights.items()})
    return chain
