from itertools import pairwise

import numpy as np
import pytest

from curation.scenes import ClipRule, Footage, cut_scenes, joined
from curation.splitter import Boundaries

PTS = np.arange(0, 1000, 10)  # 100 frames, 10 ticks apart, end at 1000


def cut(cuts=(), transitions=(), minimum=100, maximum=10_000, trim=0, pts=PTS, end=1000, **footage):
    """Clips, and where the ticks went: in clips, transitions, trimmed, short, failed."""
    footage = Footage(pts, end, **footage)
    found = cut_scenes(footage, Boundaries(list(cuts), list(transitions)), ClipRule(minimum, maximum, trim))
    sums = (found.clip_ticks, found.transition_ticks, found.trimmed_ticks, found.short_ticks, found.failed_ticks)
    assert sum(sums) == end - int(pts[0]), "every tick is accounted for"
    assert found.clip_ticks == sum(stop - start for start, stop in found.clips) and min(sums) >= 0
    return found.clips, sums


def test_cuts_divide_without_loss():
    assert cut(cuts=[300, 700]) == ([(0, 300), (300, 700), (700, 1000)], (1000, 0, 0, 0, 0))


def test_no_clip_contains_a_transition():
    assert cut(transitions=[(300, 400)]) == ([(0, 300), (400, 1000)], (900, 100, 0, 0, 0))


def test_no_clip_contains_what_may_be_a_transition():
    found = cut_scenes(Footage(PTS, 1000), Boundaries([], [], suspected_pts=[(300, 400)]), ClipRule(100, 10_000, 0))
    assert found.clips == [(0, 300), (400, 1000)] and found.transition_ticks == 100


def test_a_cut_inside_a_transition_makes_no_extra_scene():
    assert cut(cuts=[350], transitions=[(300, 400)])[0] == [(0, 300), (400, 1000)]


def test_short_scenes_are_counted_not_kept():
    assert cut(cuts=[300, 350]) == ([(0, 300), (350, 1000)], (950, 0, 0, 50, 0))


def test_trim_takes_both_sides_and_is_counted():
    assert cut(cuts=[500], trim=50) == ([(50, 450), (550, 950)], (800, 0, 200, 0, 0))


def test_a_scene_that_trimming_makes_too_short_counts_as_short():
    assert cut(cuts=[180], trim=50)[1] == (720, 0, 100, 180, 0)


def test_long_scenes_are_divided_without_remainder():
    clips, sums = cut(maximum=300)
    assert clips == [(0, 250), (250, 500), (500, 750), (750, 1000)] and sums == (1000, 0, 0, 0, 0)


def test_pieces_keep_both_lengths_even_where_frames_are_far_apart():
    pts = np.array([0, 90, 100, 200, 205, 290])
    assert cut(maximum=110, pts=pts, end=300)[0] == [(0, 100), (100, 200), (200, 300)]
    assert cut(maximum=105, pts=pts, end=300)[0] == [(0, 100), (100, 200), (200, 300)]


def test_what_cannot_be_divided_within_the_lengths_is_trimmed():
    assert cut(minimum=600, maximum=700) == ([(0, 600)], (600, 0, 400, 0, 0))


def test_a_frame_that_stands_too_long_is_in_no_clip():
    pts = np.array([*range(0, 200, 10), 700, *range(710, 1000, 10)])
    assert cut(maximum=200, pts=pts)[0] == [(0, 190), (700, 850), (850, 1000)]


def test_clips_start_on_frames_of_variable_rate():
    pts = np.array([5, 7, 100, 420, 430, 900])
    clips, _ = cut(cuts=[420], maximum=500, minimum=1, pts=pts, end=950)
    assert all(start in pts for start, _ in clips)
    assert clips[0][0] == 5 and clips[-1][1] == 950
    assert all(a[1] == b[0] for a, b in pairwise(clips))


def test_a_hole_ends_a_clip_and_counts_as_failed():
    assert cut(holes=[(310, 350)]) == ([(0, 310), (350, 1000)], (960, 0, 0, 0, 40))


def test_an_empty_hole_is_a_boundary():
    assert cut(holes=[(310, 310)])[0] == [(0, 310), (310, 1000)]


def test_a_hole_inside_a_transition_is_counted_once_as_failed():
    assert cut(transitions=[(300, 400)], holes=[(350, 420)])[1] == (880, 50, 0, 0, 70)


def test_only_wanted_spans_become_clips():
    assert cut(wanted=[(100, 300), (300, 500), (800, 850)]) == ([(100, 300), (300, 500)], (400, 0, 550, 50, 0))
    assert cut(wanted=[]) == ([], (0, 0, 1000, 0, 0))


def test_a_wanted_span_is_cut_where_the_scene_changes():
    assert cut(wanted=[(100, 600)], cuts=[300])[0] == [(100, 300), (300, 600)]


KEYFRAMES = np.array([0, 130, 290, 300, 520, 810])


def test_clips_snap_inwards_to_keyframes():
    clips, sums = cut(cuts=[290, 700], keyframes=KEYFRAMES)
    assert clips == [(0, 290), (290, 520), (810, 1000)]
    assert sums == (290 + 230 + 190, 0, 180 + 110, 0, 0)


def test_long_scenes_break_at_keyframes():
    assert cut(maximum=400, keyframes=KEYFRAMES)[0] == [(0, 300), (300, 520), (520, 810), (810, 1000)]


def test_a_scene_without_keyframes_gives_no_clip_and_is_trimmed():
    assert cut(cuts=[310, 510], keyframes=KEYFRAMES)[1] == (300 + 480, 0, 10 + 200 + 10, 0, 0)


def random_case(seed):
    rng = np.random.default_rng(seed)
    pts = np.unique(rng.integers(-500, 5000, rng.integers(1, 200)))
    end = int(pts[-1]) + int(rng.integers(1, 50))
    edges = np.append(pts, end)

    def spans(count):
        chosen = np.unique(rng.choice(edges, min(len(edges), count), replace=False)).tolist()
        return list(zip(chosen[::2], chosen[1::2], strict=False))

    minimum = int(rng.integers(0, 300))
    footage = {
        "holes": [(start + int(rng.integers(0, max(1, stop - start))), stop) for start, stop in spans(6)],
        "wanted": [None, spans(8)][seed % 2],
        "keyframes": [None, pts[rng.random(len(pts)) < 0.3]][seed // 2 % 2],
    }
    rule = {"minimum": minimum, "maximum": minimum + int(rng.integers(0, 900)), "trim": int(rng.integers(0, 60))}
    cuts = sorted(set(rng.choice(pts, min(len(pts), 5), replace=False).tolist()))
    return {"cuts": cuts, "transitions": spans(6), "pts": pts, "end": end} | footage | rule


def apart(clip, spans):
    return all(clip[1] <= start or clip[0] >= stop for start, stop in spans)


@pytest.mark.parametrize("seed", range(400))
def test_whatever_the_input_every_tick_is_accounted_for_and_clips_keep_out(seed):
    case = random_case(seed)
    clips, _ = cut(**case)
    assert all(a[1] <= b[0] for a, b in pairwise(clips))
    ends = {case["end"], *case["pts"].tolist(), *(start for start, _ in case["holes"])}
    starts = case["pts"] if case["keyframes"] is None else case["keyframes"]
    for start, stop in clips:
        assert start in starts and stop in ends
        assert max(1, case["minimum"]) <= stop - start <= case["maximum"]
        assert apart((start, stop), [*case["transitions"], *case["holes"]])
        assert not any(start < at < stop for at in [*case["cuts"], *(a for a, b in case["holes"] if a == b)])
        assert case["wanted"] is None or any(a <= start and stop <= b for a, b in case["wanted"])
        if case["keyframes"] is not None:
            assert stop == case["end"] or stop in case["keyframes"]


def test_the_random_cases_are_no_empty_ones():
    totals = np.sum([cut(**random_case(seed))[1] for seed in range(400)], axis=0)
    assert (totals / totals.sum() > 0.01).all()


def test_spans_that_touch_become_one():
    assert joined([(11, 20), (0, 10), (30, 40), (35, 37)], tolerance=1) == [(0, 20), (30, 40)]
    assert joined([(5, 9), (0, 5), (9, 9), (11, 12)]) == [(0, 9), (11, 12)]
