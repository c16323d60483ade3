from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from footage import small

from curation.config import SplitConfig
from curation.read_video import read_video
from curation.scenes import ClipRule, Footage, cut_scenes
from curation.splitters.fixed import Fixed

PICTURE = np.zeros((36, 64, 3), np.uint8)


def cuts(pts, stride_s=1.0, time_base=Fraction(1, 1000)):
    detector = Fixed(stride_s).build(time_base, Fraction(25))
    for time in pts:
        detector.process(small(time, PICTURE))
    found = detector.finish()
    assert found.transitions_pts == []
    return found.cuts_pts


@pytest.mark.parametrize("first", [0, 1400, -300])
def test_pieces_are_as_long_as_the_stride(first):
    assert cuts(range(first, first + 3500, 100)) == [first + 1000, first + 2000, first + 3000]


def test_a_rest_of_no_length_is_no_piece():
    assert cuts(range(0, 3000, 100)) == [1000, 2000]


def test_pieces_are_never_longer_than_the_stride():
    pts = [round(k * 1000 / 29.97) for k in range(300)]
    found = cuts(pts)
    pieces = [b - a for a, b in pairwise([0, *found, round(300 * 1000 / 29.97)])]
    assert max(pieces) <= 1000 and min(pieces[:-1]) > 1000 - 34
    footage = Footage(np.array(pts), round(300 * 1000 / 29.97))
    boundaries = Fixed(1.0).build(Fraction(1, 1000), Fraction(25))
    for time in pts:
        boundaries.process(small(time, PICTURE))
    clips = cut_scenes(footage, boundaries.finish(), ClipRule(500, 1000, 0)).clips
    assert [b - a for a, b in clips] == [piece for piece in pieces if piece >= 500], "no piece is divided once more"


def test_a_frame_that_stands_longer_than_the_stride_is_a_piece():
    assert cuts([0, 100, 2600, 2700, 5000]) == [100, 2600, 2700, 5000]


def test_times_of_variable_rate_are_kept():
    pts = np.cumsum(np.random.default_rng(0).integers(5, 400, 60)).tolist()
    edges = [pts[0], *cuts(pts)]
    assert set(edges) <= set(pts) and max(b - a for a, b in pairwise(edges)) <= 1000


def test_no_frame_and_one_frame_give_no_cut():
    assert cuts([]) == [] and cuts([7]) == []


def test_a_stride_of_nothing_is_refused():
    with pytest.raises(ValueError, match="stride_s"):
        Fixed(0.0)


def test_real_footage_gives_as_many_pieces_as_its_manifest_says(media: Path, tmp_path):
    path = str(media / "video/cosmos-curate__test_video_30s.mp4")
    reading = read_video("v", path, SplitConfig(splitter=Fixed(10.0)), tmp_path / "p.parquet")
    assert [(clip["start_s"], clip["end_s"]) for clip in reading.clips] == [(0, 10), (10, 20), (20, 30)]
