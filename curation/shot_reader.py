"""A small network over time that reads what changes around each frame and says where scenes change.

Four dilated convolutions over the numbers of `shot_features` and, where TransNetV2 was asked, its answer: 20,000
weights, trained by `benchmarks/train_shot_reader.py`. It runs in numpy.
"""

from functools import cache
from pathlib import Path

import numpy as np

from curation.shot_features import NAMES

WEIGHTS = Path(__file__).with_name("weights") / "shot_reader.safetensors"
DILATIONS = (1, 2, 4, 8)
TAPS = 5
RADIUS = sum(DILATIONS) * (TAPS // 2)
"""Frames on each side that a reading depends on, beyond the reach of the numbers themselves."""
LARGEST = 6.0  # standard deviations; nothing the network has learned lies outside
SCALE = 4.0  # of TransNetV2's logits
SUREST = 1e-4


class ShotReader:
    """The network with its weights."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self._weights = weights

    def read(self, numbers: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Reads a stretch of a video.

        Args:
            numbers: float32 (num_frames, len(NAMES)), of `shot_features.features`.
            answers: float32 (num_frames, 2), of `ShotNetwork.probabilities`; NaN where it was not asked.

        Returns:
            float32 (num_frames, 2) in 0..1: the chance that a frame is the first after a hard cut, and that it belongs
            to a gradual transition.
        """
        w = self._weights
        x = np.concatenate([numbers, inputs(answers)], axis=1)
        x = np.clip((x - w["mean"]) / w["std"], -LARGEST, LARGEST).astype(np.float32)
        for layer, dilation in enumerate(DILATIONS):
            y = np.maximum(_convolve(x, w[f"convs.{layer}.weight"], dilation) + w[f"convs.{layer}.bias"], 0)
            x = x + y if layer else y
        logits = x @ w["out.weight"][..., 0].T + w["out.bias"]
        return 1 / (1 + np.exp(-logits))


def inputs(answers: np.ndarray) -> np.ndarray:
    """What the network sees of TransNetV2: scaled logits, and whether there is an answer.

    Args:
        answers: float32 (num_frames, 2), NaN where there is none.

    Returns:
        float32 (num_frames, 3).
    """
    asked = np.isfinite(answers).all(axis=1, keepdims=True)
    chances = np.clip(np.where(asked, answers, 0.5), SUREST, 1 - SUREST)
    return np.concatenate([np.log(chances / (1 - chances)) / SCALE, asked], axis=1).astype(np.float32)


def _convolve(x: np.ndarray, weight: np.ndarray, dilation: int) -> np.ndarray:
    """Convolution over time, (num_frames, in) by (out, in, TAPS); the frames at both ends repeat."""
    num_frames, padding = len(x), dilation * (TAPS // 2)
    padded = np.concatenate([np.repeat(x[:1], padding, axis=0), x, np.repeat(x[-1:], padding, axis=0)])
    shifted = np.concatenate([padded[dilation * tap : dilation * tap + num_frames] for tap in range(TAPS)], axis=1)
    return shifted @ weight.transpose(2, 1, 0).reshape(-1, len(weight))


@cache
def shot_reader() -> ShotReader:
    """The trained reader."""
    from safetensors.numpy import load_file

    weights = load_file(WEIGHTS)
    if len(weights["mean"]) != len(NAMES) + 3:
        raise ValueError(f"{WEIGHTS} was trained on other numbers; run benchmarks/train_shot_reader.py")
    return ShotReader(weights)
