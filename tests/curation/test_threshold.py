from fractions import Fraction

import numpy as np
import pytest
from footage import noise_scene, small

from curation.splitters.threshold import Threshold

TIME_BASE = Fraction(1, 1000)


def dark_spans(frames: list[np.ndarray], pts: list[int]) -> list[tuple[int, int]]:
    detector = Threshold().build(TIME_BASE, Fraction(10))
    for time, frame in zip(pts, frames, strict=True):
        detector.process(small(time, frame))
    found = detector.finish()
    assert found.cuts_pts == []
    return found.transitions_pts


def dimmed(*levels: float) -> list[np.ndarray]:
    return [(frame * level).astype(np.uint8) for frame, level in zip(noise_scene(1, len(levels)), levels, strict=True)]


@pytest.mark.parametrize("first", [0, 1400, -200])
def test_a_fade_is_the_span_of_dark_frames(first):
    pts = [first + 100 * k for k in range(24)]
    frames = dimmed(*[1] * 8, 0.6, 0.3, 0, 0, 0, 0, 0.3, 0.6, *[1] * 8)
    assert dark_spans(frames, pts) == [(pts[10], pts[14])]


def test_times_of_variable_rate_come_back_exactly():
    pts = np.cumsum(np.random.default_rng(0).integers(30, 400, 20)).tolist()
    assert dark_spans(dimmed(*[1] * 8, *[0] * 4, *[1] * 8), pts) == [(pts[8], pts[12])]


def test_dark_at_both_ends():
    pts = [100 * k for k in range(20)]
    assert dark_spans(dimmed(*[0] * 5, *[1] * 10, *[0] * 5), pts) == [(0, 500), (1500, 1901)]


def test_no_frame_and_one_frame_are_no_trouble():
    assert dark_spans([], []) == []
    assert dark_spans(dimmed(1), [7]) == []
