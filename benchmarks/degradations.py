"""Ways to spoil real videos by rising strength: what metrics of videos have to notice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

Spoil = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
"""Frames uint8 (T, H, W, 3), a strength, and where chance comes from, to frames of that shape."""


@dataclass(frozen=True)
class Degradation:
    """One way, and its strengths from nothing to much."""

    spoil: Spoil
    strengths: Sequence[float]
    told: str


def noise(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of that deviation, new in each frame."""
    return (frames + rng.normal(0, strength, frames.shape)).round().clip(0, 255).astype(np.uint8)


def blur(frames: np.ndarray, strength: float, _: np.random.Generator) -> np.ndarray:
    """A Gaussian blur of that deviation in pixels."""
    return np.stack([cv2.GaussianBlur(frame, (0, 0), strength) for frame in frames]) if strength else frames


def frozen(frames: np.ndarray, strength: float, _: np.random.Generator) -> np.ndarray:
    """That share of the video, at its end, shows one frame."""
    last = round((len(frames) - 1) * (1 - strength))
    return frames[np.minimum(np.arange(len(frames)), last)]


def shuffled(frames: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """That share of the frames change their places among themselves, by chance."""
    order = np.arange(len(frames))
    moved = rng.permutation(len(frames))[: round(strength * len(frames))]
    order[np.sort(moved)] = moved
    return frames[order]


def others(captions: Sequence[str], strength: float) -> list[str]:
    """That share of the captions, evenly spread, are those of the next video but one; each video's own elsewhere."""
    wrong = [int((at + 1) * strength) > int(at * strength) for at in range(len(captions))]
    return [captions[(at + 2) % len(captions)] if wrong[at] else own for at, own in enumerate(captions)]


WAYS = {
    "noise": Degradation(noise, (0, 8, 16, 32, 64), "deviation in bytes"),
    "blur": Degradation(blur, (0, 0.7, 1.5, 3, 6), "deviation in px of 96x64"),
    "frozen": Degradation(frozen, (0, 0.5, 0.75, 1), "share of the video"),
    "shuffled": Degradation(shuffled, (0, 0.25, 0.5, 1), "share of the frames"),
    "caption": Degradation(lambda frames, *_: frames, (0, 0.25, 0.5, 1), "share of wrong captions"),
}
