import math
from fractions import Fraction

import numpy as np
import pytest

from curation.spans import place_spans

PTS = np.arange(700, 1700, 100)  # ten frames a second, from 0.7 s on, to 1.7 s
MS = Fraction(1, 1000)


def place(*spans):
    return place_spans(spans, PTS, 1700, MS)


@pytest.mark.parametrize(
    ("span", "placed"),
    [
        ((0.0, 1.0), (700, 1700)),
        ((0.2, 0.5), (900, 1200)),
        ((0.149, 0.151), (800, 900)),
        ((0.96, math.inf), None),
        ((0.9, math.inf), (1600, 1700)),
        ((0.94, 1.0), (1600, 1700)),
    ],
)
def test_each_edge_goes_to_the_nearest_frame_counted_from_the_first(span, placed):
    assert place(span)[0] == ([placed] if placed else [])


def test_spans_that_meet_after_rounding_do_not_overlap():
    assert place((0.0, 0.334), (0.333, 0.667), (0.666, 1.0)) == ([(700, 1000), (1000, 1400), (1400, 1700)], [])


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        ([(0.5, 0.5)], "0.500 to 0.500 s: does not go forward"),
        ([(0.5, math.nan)], "0.500 to nan s: does not go forward"),
        ([(0.31, 0.32)], "0.310 to 0.320 s: holds no frame"),
        ([(2.0, 3.0)], "2.000 to 3.000 s: holds no frame; the video ends at 1.000 s"),
        ([(0.0, 0.5), (0.3, 0.8)], "0.300 to 0.800 s: overlaps the span before it"),
        ([(0.5, 1.2)], "0.500 to 1.200 s: cut where the video ends, at 1.000 s"),
    ],
)
def test_what_cannot_be_is_told(spans, told):
    (problem,) = place(*spans)[1]
    assert problem.startswith(told)


def test_equal_spans_count_once_and_order_does_not_matter():
    assert place((0.5, 1.0), (0.0, 0.5), (0.5, 1.0)) == ([(700, 1200), (1200, 1700)], [])


def test_one_frame_can_be_a_span():
    assert place_spans([(0.0, 1.0)], np.array([5]), 45, Fraction(1, 40)) == ([(5, 45)], [])
