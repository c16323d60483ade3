"""What happens from one proxy frame of a clip to the next: stillness, jumps, flicker, cuts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

GRID = (64, 36)  # width, height in pixels at which frames are compared; few enough that noise averages out
CELLS = (16, 9)  # a thing that moves fills a cell of these, however small it is in the frame
STILL = (
    2.0  # levels of luma by which no cell changes between two frames of a still picture; coding alone gives up to 1.5
)
FAINT = 128.0  # variance of luma below which structure counts little
GAIN_LIMITS = (0.4, 2.5)  # changes of brightness that are evened out before pictures are compared
COLOUR_LEVELS = 8  # a channel, in histograms


@dataclass(frozen=True)
class Step:
    """The change from one frame to the next."""

    largest_change: float
    """Mean absolute change of luma in the cell that changes most, 0..255."""
    mean_change: float
    """Mean absolute change of luma, 0..255."""
    log_gain: float
    """Logarithm of the change of brightness that most of the picture shares; 0 where things move."""
    unlikeness: float
    """0 for one scene, towards 1 for two: other colours and another structure, whatever the brightness or shift."""

    @property
    def is_still(self) -> bool:
        """Whether nothing moved."""
        return self.largest_change < STILL


def steps_of(pictures: Sequence[np.ndarray]) -> list[Step]:
    """The steps between consecutive pictures, each uint8 (H, W, 3) RGB."""
    return [_step(before, after) for before, after in pairwise(map(_shrink, pictures))]


def _shrink(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, GRID, interpolation=cv2.INTER_AREA)


def _luma(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _step(before: np.ndarray, after: np.ndarray) -> Step:
    luma_before, luma_after = _luma(before), _luma(after)
    change = np.abs(luma_after - luma_before)
    cells = cv2.resize(change, CELLS, interpolation=cv2.INTER_AREA)
    log_gain = float(np.median(np.log((luma_after + 8) / (luma_before + 8))))  # 8: dark noise is no change of light
    return Step(float(cells.max()), float(change.mean()), log_gain, _unlikeness(before, after))


def _unlikeness(before: np.ndarray, after: np.ndarray) -> float:
    """Geometric mean of how much colours differ and how much structure and colours do, brightness evened out."""
    gain = np.clip((before.mean() + 4) / (after.mean() + 4), *GAIN_LIMITS)
    evened = cv2.convertScaleAbs(after, alpha=float(gain))
    one, other = _luma(before), _luma(evened)
    structure = min(_structure_lost(one, other), _structure_lost(other, one))
    colours = 1 - float(np.minimum(_colours(before), _colours(evened)).sum())
    return float(np.sqrt(max(0.0, colours) * (structure + colours) / 2))


def _colours(picture: np.ndarray) -> np.ndarray:
    """Share of the picture in each of the colours; neighbouring colours share, as a small change is no other colour."""
    levels = (picture.reshape(-1, 3) // (256 // COLOUR_LEVELS)).astype(np.int32)
    index = (levels[:, 0] * COLOUR_LEVELS + levels[:, 1]) * COLOUR_LEVELS + levels[:, 2]
    counts = np.bincount(index, minlength=COLOUR_LEVELS**3).astype(np.float32).reshape((COLOUR_LEVELS,) * 3)
    for _ in range(3):  # along each axis in turn, which comes to the end then
        padded = np.concatenate([counts[:1], counts, counts[-1:]])
        counts = np.moveaxis((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4, 0, 2)
    return counts / counts.sum()


def _structure_lost(before: np.ndarray, after: np.ndarray) -> float:
    """1 minus the best structural likeness of the middle of one picture to any place of the other.

    The likeness is the contrast-structure term of SSIM (Wang et al., IEEE TIP 2004), so flat pictures are alike.
    """
    height, width = after.shape
    middle = after[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4]
    ones = np.ones_like(middle)
    covariance = cv2.matchTemplate(before, middle, cv2.TM_CCOEFF) / middle.size
    mean = cv2.matchTemplate(before, ones, cv2.TM_CCORR) / middle.size
    variance = cv2.matchTemplate(before * before, ones, cv2.TM_CCORR) / middle.size - mean * mean
    likeness = (2 * covariance + FAINT) / (variance + middle.var() + FAINT)
    return float(np.clip(1 - likeness.max(), 0, 1))


def frozen_share(steps: Sequence[Step]) -> float:
    """Share of the steps in which nothing moved, 0..1."""
    return float(np.mean([step.is_still for step in steps]))


def slideshow(steps: Sequence[Step], path: float) -> float:
    """How much of a clip is stills with jumps between them, 0..1.

    Change that comes at once adds up to as much between proxy frames as from frame to frame; motion goes a longer way.
    A slow change goes no longer way, so a clip counts in full only where half of its steps are still.

    Args:
        steps: of the clip.
        path: mean absolute change of luma, summed over every frame of the clip.
    """
    still = frozen_share(steps)
    if still == 1 or path <= 0:
        return 0.0
    return min(1.0, 2 * still) * min(1.0, sum(step.mean_change for step in steps) / path)


def flicker(steps: Sequence[Step]) -> float:
    """Mean change, from step to step, of the logarithm of brightness; a steady fade has none."""
    return float(np.abs(np.diff([step.log_gain for step in steps])).mean()) if len(steps) > 1 else 0.0


def residual_cut(steps: Sequence[Step]) -> float:
    """How far the step that looks most like a cut stands out from the usual step of the clip, 0..1."""
    unlike = sorted(step.unlikeness for step in steps)
    usual = unlike[(len(unlike) - 1) // 2] if len(unlike) > 1 else 0.0
    return unlike[-1] - usual
