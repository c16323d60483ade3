from fractions import Fraction

import numpy as np
import pytest
from footage import noise_scene, small

from curation.splitters.content import Content

TIME_BASE = Fraction(1, 1000)


def cuts(frames: list[np.ndarray], pts: list[int], **settings) -> list[int]:
    detector = Content(**settings).build(TIME_BASE, Fraction(10))
    for time, frame in zip(pts, frames, strict=True):
        detector.process(small(time, frame))
    found = detector.finish()
    assert found.transitions_pts == []
    return found.cuts_pts


def unlike_scenes(*lengths: int) -> list[np.ndarray]:
    """Scenes of which every other one is much darker."""
    scenes = [[frame // (1 + 3 * (seed % 2)) for frame in noise_scene(seed, n)] for seed, n in enumerate(lengths)]
    return [frame for scene in scenes for frame in scene]


@pytest.mark.parametrize("first", [0, 1400, -200])
def test_a_cut_is_the_first_frame_of_the_new_scene_wherever_time_starts(first):
    pts = [first + 100 * k for k in range(30)]
    assert cuts(unlike_scenes(12, 18), pts) == [pts[12]]


def test_times_of_variable_rate_come_back_exactly():
    pts = np.cumsum(np.random.default_rng(0).integers(5, 400, 30)).tolist()
    assert cuts(unlike_scenes(10, 20), pts) == [pts[10]]


def test_what_the_threshold_says_holds():
    pts = [100 * k for k in range(20)]
    assert cuts(unlike_scenes(10, 10), pts, threshold=250.0) == []
    assert cuts(noise_scene(0, 20), pts) == []


def test_no_frame_and_one_frame_are_no_trouble():
    assert cuts([], []) == []
    assert cuts(unlike_scenes(1), [7]) == []
