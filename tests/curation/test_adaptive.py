from fractions import Fraction

import numpy as np
import pytest
from footage import noise_scene, small

from curation.splitters.adaptive import Adaptive

TIME_BASE = Fraction(1, 1000)


def cuts(scenes: list[list[np.ndarray]], pts: list[int], **settings) -> list[int]:
    detector = Adaptive(**settings).build(TIME_BASE, Fraction(10))
    frames = [frame for scene in scenes for frame in scene]
    for time, frame in zip(pts, frames, strict=True):
        detector.process(small(time, frame))
    found = detector.finish()
    assert found.transitions_pts == []
    return found.cuts_pts


def scenes(*lengths: int) -> list[list[np.ndarray]]:
    return [noise_scene(seed, length) for seed, length in enumerate(lengths)]


@pytest.mark.parametrize("first", [0, 1400, -200])
def test_a_cut_is_the_first_frame_of_the_new_scene_wherever_time_starts(first):
    pts = [first + 100 * k for k in range(30)]
    assert cuts(scenes(12, 18), pts) == [pts[12]]


def test_times_of_variable_rate_come_back_exactly():
    pts = np.cumsum(np.random.default_rng(0).integers(5, 400, 30)).tolist()
    assert cuts(scenes(10, 20), pts) == [pts[10]]


def test_one_moving_scene_has_no_cut():
    assert cuts(scenes(30), [100 * k for k in range(30)]) == []


def test_cuts_too_close_are_passed_over():
    pts = [100 * k for k in range(40)]
    assert cuts(scenes(15, 4, 21), pts, min_scene_s=0.0) == [1500, 1900]
    assert cuts(scenes(15, 4, 21), pts, min_scene_s=1.0) == [1500]


def test_no_frame_and_one_frame_are_no_trouble():
    assert cuts([], []) == []
    assert cuts(scenes(1), [7]) == []
