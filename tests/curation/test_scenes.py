from itertools import pairwise

import numpy as np
import pytest

from curation.scenes import ClipRule, cut_scenes
from curation.splitter import Boundaries

PTS = np.arange(0, 1000, 10)  # 100 frames, 10 ticks apart, end at 1000


def cut(cuts=(), transitions=(), minimum=100, maximum=10_000, trim=0, pts=PTS, end=1000):
    found = cut_scenes(pts, end, Boundaries(list(cuts), list(transitions)), ClipRule(minimum, maximum, trim))
    sums = (found.clip_ticks, found.transition_ticks, found.trimmed_ticks, found.short_ticks)
    assert sum(sums) == end - int(pts[0]), "every tick is accounted for"
    return found.clips, sums


def test_cuts_divide_without_loss():
    assert cut(cuts=[300, 700]) == ([(0, 300), (300, 700), (700, 1000)], (1000, 0, 0, 0))


def test_no_clip_contains_a_transition():
    assert cut(transitions=[(300, 400)]) == ([(0, 300), (400, 1000)], (900, 100, 0, 0))


def test_a_cut_inside_a_transition_makes_no_extra_scene():
    assert cut(cuts=[350], transitions=[(300, 400)])[0] == [(0, 300), (400, 1000)]


def test_short_scenes_are_counted_not_kept():
    assert cut(cuts=[300, 350]) == ([(0, 300), (350, 1000)], (950, 0, 0, 50))


def test_trim_takes_both_sides_and_is_counted():
    assert cut(cuts=[500], trim=50) == ([(50, 450), (550, 950)], (800, 0, 200, 0))


def test_a_scene_that_trimming_makes_too_short_counts_as_short():
    assert cut(cuts=[180], trim=50)[1] == (720, 0, 100, 180)


def test_long_scenes_are_divided_without_remainder():
    clips, sums = cut(maximum=300)
    assert clips == [(0, 250), (250, 500), (500, 750), (750, 1000)] and sums == (1000, 0, 0, 0)


def test_clips_start_on_frames_of_variable_rate():
    pts = np.array([5, 7, 100, 420, 430, 900])
    clips, _ = cut(cuts=[420], maximum=300, minimum=1, pts=pts, end=950)
    assert all(start in pts for start, _ in clips)
    assert clips[0][0] == 5 and clips[-1][1] == 950
    assert all(a[1] == b[0] for a, b in pairwise(clips))


@pytest.mark.parametrize("seed", range(30))
def test_any_boundaries_account_for_every_tick(seed):
    rng = np.random.default_rng(seed)
    pts = np.unique(rng.integers(-500, 5000, rng.integers(1, 200)))
    edges = np.unique(rng.choice(pts, min(len(pts), 6), replace=False))
    spans = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=False))
    cuts = sorted(set(rng.choice(pts, min(len(pts), 5), replace=False).tolist()) - {int(pts[0])})
    rule = dict(minimum=int(rng.integers(0, 300)), maximum=int(rng.integers(50, 2000)), trim=int(rng.integers(0, 60)))
    clips, _ = cut(cuts, spans, pts=pts, end=int(pts[-1]) + 10, **rule)
    for start, end in clips:
        assert start in pts and start < end
        assert not any(start < cut_at < end for cut_at in cuts)
        assert all(end <= a or start >= b for a, b in spans)
