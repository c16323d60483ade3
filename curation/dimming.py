"""Fades of pictures that stand still, such as titles: the pattern stays while its contrast goes to nothing, or comes.

Where a title is small no network sees much of it; arithmetic does.
"""

import numpy as np

from curation.shot_features import SMALLEST
from curation.splitters.transnet import runs

ALIKE = 0.02  # most unlikeness of frames LAG apart: what moves has more, but for the slowest and smoothest
LAG = 4
UNLIKENESS = f"unlikeness_{LAG}"
FAINT = 0.006  # contrast that there must be: a level and a half of 256
NOISE = 0.002  # contrast whose pattern is noise
REST = 0.2  # share of the contrast that may be left: what is darker is a picture of its own
STEEPEST = 0.35  # share of the contrast that one frame may take: more is a cut
SLACK = 1.01  # coding makes contrast tremble
EDGE = 0.03  # share of a fade that cannot be told from what stands before and after it
SHORTEST = 5  # frames: coding smears a cut over fewer
LONGEST_S = 4.0  # what takes longer is dusk


def dimmings(contrast: np.ndarray, unlikeness: np.ndarray, times_s: np.ndarray) -> list[tuple[int, int]]:
    """Half-open spans of frames in which a still picture fades out or in, in order of their ends.

    Args:
        contrast: float32 (num_frames,), standard deviation of luma, 0..1.
        unlikeness: float32 (num_frames,), UNLIKENESS of `features`, 0..1: of the frames LAG / 2 before and after.
        times_s: float64 (num_frames,), when each frame is shown, seconds.
    """
    around = np.pad(contrast, LAG // 2, mode="edge") if len(contrast) else contrast
    power = around[:-LAG] * around[LAG:]
    seen = power / np.sqrt(power**2 + SMALLEST**4)  # so much of likeness is left in `features`
    stays = (unlikeness <= 0.5 - (0.5 - ALIKE) * seen) | (contrast < NOISE)
    before, after = contrast[:-1], contrast[1:]
    found = []
    for goes_on in (after <= SLACK * before, before <= SLACK * after):
        found += [_fade(contrast, start, end + 1) for start, end in runs(goes_on & stays[1:])]
    return sorted(span for span in found if span and times_s[span[1] - 1] - times_s[span[0]] <= LONGEST_S)


def _fade(contrast: np.ndarray, start: int, end: int) -> tuple[int, int] | None:
    """The part of a run in which the contrast changes, if that is a fade."""
    values = contrast[start:end]
    low, high = float(values.min()), float(values.max())
    if high < FAINT or low > REST * high or np.abs(np.diff(values)).max() > STEEPEST * (high - low):
        return None
    edge = EDGE * (high - low)
    changing = start + np.flatnonzero((values > low + edge) & (values < high - edge))
    length = int(changing[-1] - changing[0]) + 1 if len(changing) else 0
    return (int(changing[0]), int(changing[-1]) + 1) if length >= SHORTEST else None
