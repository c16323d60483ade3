from dataclasses import replace

import numpy as np
import pytest

from curation.shot_boundaries import boundaries, parted, without
from curation.splitters.hybrid import Hybrid


def test_chances_become_cuts_and_spans():
    chances = np.zeros((60, 2), np.float32)
    chances[5, 0], chances[6, 0] = 0.9, 0.6  # one cut, not two
    chances[20:30, 1], chances[24, 0] = 0.8, 0.6  # a transition, and no cut in it
    chances[30:33, 1] = 0.4, 0.3, 0.4  # a valley between two
    chances[33:40, 1] = 0.7
    chances[50, 1] = 0.9  # too short
    unasked, vivid = np.full_like(chances, np.nan), np.ones(len(chances), np.float32)
    settings = Hybrid(cut_threshold=0.5, transition_threshold=0.5, span_threshold=0.25, span_margin=0)
    assert boundaries(chances, unasked, vivid, settings) == ([(5, 5), (20, 31), (31, 40)], [])
    denied = np.full_like(chances, 0.001)
    denied[20:40] = 0.9
    assert boundaries(chances, denied, vivid, settings) == ([(20, 31), (31, 40)], [])


def test_what_may_be_a_transition_is_suspected_and_a_likely_cut_is_not():
    chances = np.zeros((60, 2), np.float32)
    chances[5, 0], chances[20:30, 1], chances[40:50, 1] = 0.8, 0.8, 0.6
    unasked, vivid = np.full_like(chances, np.nan), np.ones(len(chances), np.float32)
    settings = Hybrid(cut_threshold=0.9, transition_threshold=0.9, suspicion_threshold=0.7, span_margin=2)
    assert boundaries(chances, unasked, vivid, settings) == ([], [(18, 32)])
    assert boundaries(chances, unasked, vivid, replace(settings, transition_threshold=0.7)) == ([(18, 32)], [])


@pytest.mark.parametrize(
    ("spread", "parts"),
    [
        ([0.8, 0.6, 0.4, 0.2, 0.0, 0.2, 0.4, 0.6], [(0, 4), (4, 8)]),  # out and in
        ([0.8, 0.5, 0.2, 0.0, 0.0, 0.0, 0.3, 0.6], [(0, 4), (4, 8)]),
        ([0.8, 0.7, 0.6, 0.5, 0.5, 0.6, 0.7, 0.8], [(0, 8)]),  # a dissolve: never plain
        ([0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.0, 0.0], [(0, 8)]),  # a fade-out alone
        ([0.02, 0.02, 0.0, 0.0, 0.0, 0.02, 0.02, 0.02], [(0, 8)]),  # all is dark
        ([0.8, 0.0, 0.8], [(0, 3)]),
    ],
)
def test_a_fade_out_and_a_fade_in_are_two(spread, parts):
    assert parted((0, len(spread)), np.array(spread, np.float32)) == parts
    shifted = np.array([1, 1, *spread, 1], np.float32)
    assert parted((2, 2 + len(spread)), shifted) == [(a + 2, b + 2) for a, b in parts]


def test_spans_without_others_are_joined_and_stay_inside_the_video():
    assert without([(-2, 4), (3, 6), (10, 20), (28, 33)], [(5, 5), (12, 15)], 30) == [
        (0, 6),
        (10, 12),
        (15, 20),
        (28, 30),
    ]
