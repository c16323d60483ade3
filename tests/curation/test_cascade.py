from fractions import Fraction

import numpy as np
import pytest
from footage import noise_scene, small

from curation.splitter import Boundaries
from curation.splitters.cascade import Cascade

TIME_BASE = Fraction(1, 1000)


def boundaries(frames: list[np.ndarray], pts: list[int]) -> Boundaries:
    detector = Cascade().build(TIME_BASE, Fraction(24))
    for time, frame in zip(pts, frames, strict=True):
        detector.process(small(time, frame))
    return detector.finish()


def two_scenes(before: int, between: int, after: int) -> list[np.ndarray]:
    """A bright still scene, a dissolve of so many frames, and a dark still scene."""
    bright, dark = noise_scene(0, 1)[0], noise_scene(1, 1)[0] // 5
    shares = [*np.zeros(before), *np.arange(1, between + 1) / (between + 1), *np.ones(after)]
    return [(bright * (1 - share) + dark * share).astype(np.uint8) for share in shares]


@pytest.mark.parametrize("first", [0, 1400, -300])
def test_a_hard_cut_is_found_once_by_all_levels(first):
    pts = [first + 40 * k for k in range(60)]
    assert boundaries(two_scenes(30, 0, 30), pts) == Boundaries([pts[30]], [])


def test_a_slow_change_is_a_span_that_only_slower_levels_see():
    pts = [40 * k for k in range(80)]
    found = boundaries(two_scenes(30, 20, 30), pts)
    assert found.cuts_pts == []
    [(start, end)] = found.transitions_pts
    assert pts[17] < start <= pts[40] < end <= pts[62] and start in pts


def test_a_still_scene_has_neither():
    assert boundaries(two_scenes(40, 0, 0), [40 * k for k in range(40)]) == Boundaries([], [])
    assert boundaries([], []) == Boundaries([], [])
