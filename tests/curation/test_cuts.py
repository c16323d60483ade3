"""The rule by which cuts are scored, and floors under the accuracy of `hybrid`."""

from fractions import Fraction

import numpy as np
import pytest
from footage import small

from benchmarks.cut_score import Counts, Truth, count, finds_of
from benchmarks.cuts import F1_FLOORS, IN_CLIPS_CEILING, Race, labelled
from benchmarks.film_shots import Material
from benchmarks.films import render_film
from curation.scenes import ClipRule
from curation.splitter import Boundaries
from curation.splitters.hybrid import Hybrid

PTS = np.arange(0, 1000, 10)
RULE = ClipRule(min_ticks=50, max_ticks=1000, trim_ticks=0)


def counts(truth: Truth, cuts: list[int], spans: list[tuple[int, int]] | None = None) -> Counts:
    ticks = [(10 * start, 10 * end) for start, end in spans or []]
    return count(Boundaries([10 * cut for cut in cuts], ticks), PTS, truth, RULE)


def test_a_cut_is_found_within_two_frames_and_only_once():
    truth = Truth([20, 50], [])
    assert counts(truth, [18, 52]).cuts_found == 2
    assert counts(truth, [17, 53]).cuts_found == 0
    found = counts(truth, [19, 20, 21])
    assert (found.cuts_found, found.false) == (1, 2)


def test_a_transition_is_found_by_anything_inside_and_more_costs_nothing():
    truth = Truth([], [(30, 40)])
    found = counts(truth, [28, 35, 42])
    assert (found.gradual_found, found.false) == (1, 0)
    found = counts(truth, [27, 43])
    assert (found.gradual_found, found.false) == (0, 2)


def test_finds_near_ambiguous_frames_are_not_false():
    assert counts(Truth([], [], [60]), [58, 62, 70]).false == 1


def test_a_transition_counts_as_its_middle_frame():
    assert finds_of(Boundaries([50], [(100, 200), (900, 991)]), PTS) == [5, 15, 95]


def test_transition_frames_in_clips_are_counted():
    found = counts(Truth([], [(30, 39)]), [], [(35, 40)])
    assert (found.gradual_frames, found.gradual_frames_in_clips) == (10, 5)
    assert found.figures()["transition_frames_in_clips"] == 0.5


def test_what_is_suspected_finds_nothing_but_keeps_frames_out_of_clips():
    found = count(Boundaries([], [], [(300, 400), (600, 700)]), PTS, Truth([], [(30, 39)]), RULE)
    assert (found.gradual_found, found.false, found.suspected) == (0, 0, 2)
    assert (found.gradual_frames_in_clips, found.clip_frames) == (0, 80)


def test_figures_of_nothing_and_of_sums():
    assert Counts().figures()["f1"] == 1.0
    figures = (Counts(cuts=3, cuts_found=2, false=1) + Counts(gradual=1, gradual_found=1)).figures()
    assert (figures["precision"], figures["recall"], figures["f1"]) == (0.75, 0.75, 0.75)


def test_hybrid_holds_its_floor_on_rendered_films():
    film = render_film(9001, Material.load([]), num_shots=8)
    detector = Hybrid(doubt=(1.0, 1.0)).build(Fraction(1, 24), Fraction(24))  # its cheap look alone, to be fast
    for number, frame in enumerate(film.frames):
        detector.process(small(number, frame))
    found = count(detector.finish(), np.arange(len(film.frames)), Truth(film.cuts, film.gradual), ClipRule(24, 480, 0))
    assert found.figures()["f1"] >= 0.85


@pytest.mark.slow
def test_hybrid_holds_its_floor_on_labelled_footage(media):
    race = Race({"hybrid": Hybrid(device="cpu")})
    for path, truth in labelled(media):
        race.run(path, truth)
    figures = race.counts["hybrid"].figures()
    assert figures["f1"] >= F1_FLOORS["labels"]
    assert figures["transition_frames_in_clips"] <= IN_CLIPS_CEILING
