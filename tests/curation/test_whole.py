from fractions import Fraction

import numpy as np
import pytest
from footage import noise_scene, small, write_video

from curation.config import SplitConfig
from curation.read_video import read_video
from curation.splitter import Boundaries
from curation.splitters.adaptive import Adaptive
from curation.splitters.whole import Whole


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Six seconds at 10 frames a second, with a cut at 3 s."""
    path = tmp_path_factory.mktemp("films") / "a.mp4"
    return str(write_video(path, noise_scene(1, 30) + noise_scene(2, 30), g="8"))


def spans(film, tmp_path, wanted, splitter=None, **settings):
    """(start, end) of each clip in seconds, and the row of `videos`."""
    config = SplitConfig(splitter=splitter or Whole(), **{"min_clip_s": 0.5, **settings})
    reading = read_video("v", film, config, tmp_path / "p.parquet", wanted)
    return [(round(clip["start_s"], 3), round(clip["end_s"], 3)) for clip in reading.clips], reading.video


def test_no_boundary_is_found_in_anything():
    detector = Whole().build(Fraction(1, 10), Fraction(10))
    for pts, picture in enumerate([*noise_scene(1, 5), *noise_scene(2, 5), np.zeros((120, 160, 3), np.uint8)]):
        detector.process(small(pts, picture))
    assert detector.finish() == Boundaries([], [])


def test_without_spans_the_whole_file_is_a_clip(film, tmp_path):
    found, video = spans(film, tmp_path, None)
    assert found == [(0, 6)] and video["clips_s"] == video["duration_s"] == 6


def test_clips_are_the_users_spans_neither_merged_nor_divided(film, tmp_path):
    found, video = spans(film, tmp_path, [(4.0, 5.5), (1.0, 2.5), (2.5, 4.0)])
    assert found == [(1, 2.5), (2.5, 4), (4, 5.5)]
    assert (video["trimmed_s"], video["span_problems"]) == (pytest.approx(1.5), [])


def test_a_span_that_is_too_long_is_divided_like_a_scene(film, tmp_path):
    assert spans(film, tmp_path, [(1.0, 5.0)], max_clip_s=2.0)[0] == [(1, 3), (3, 5)]


def test_a_span_that_is_too_short_is_counted_as_such(film, tmp_path):
    found, video = spans(film, tmp_path, [(1.0, 1.3), (2.0, 3.0)])
    assert found == [(2, 3)] and video["short_s"] == pytest.approx(0.3)


def test_rounded_seconds_mean_the_nearest_frame(film, tmp_path):
    assert spans(film, tmp_path, [(1.004, 1.996), (1.997, 3.04)])[0] == [(1, 2), (2, 3)]


def test_spans_that_cannot_be_are_told_and_passed_over(film, tmp_path):
    wanted = [(3.0, 2.0), (9.0, 12.0), (-1.0, 2.0), (float("nan"), 1.0), (1.0, 3.0), (2.0, 4.0), (5.0, 7.0), (1.0, 3.0)]
    found, video = spans(film, tmp_path, wanted)
    assert found == [(1, 3), (5, 6)] and video["trimmed_s"] == pytest.approx(3)
    told = sorted(video["span_problems"])
    assert told == [
        "-1.000 to 2.000 s: does not go forward from 0",
        "2.000 to 4.000 s: overlaps the span before it",
        "3.000 to 2.000 s: does not go forward from 0",
        "5.000 to 7.000 s: cut where the video ends, at 6.000 s",
        "9.000 to 12.000 s: holds no frame; the video ends at 6.000 s",
        "nan to 1.000 s: does not go forward from 0",
    ]


def test_a_span_without_an_end_goes_to_the_end(film, tmp_path):
    found, video = spans(film, tmp_path, [(2.0, float("inf")), (float("inf"), float("inf"))])
    assert found == [(2, 6)] and video["span_problems"] == ["inf to inf s: does not go forward from 0"]


def test_no_span_at_all_gives_no_clip(film, tmp_path):
    found, video = spans(film, tmp_path, [])
    assert found == [] and video["trimmed_s"] == 6


def test_other_splitters_look_for_cuts_inside_the_spans(film, tmp_path):
    assert spans(film, tmp_path, [(1.0, 5.0)], Adaptive())[0] == [(1, 3), (3, 5)]


def test_spans_snap_to_keyframes(film, tmp_path):
    found, video = spans(film, tmp_path, [(1.0, 4.5), (5.0, 6.0)], snap="keyframe")
    assert found == [(1.6, 3.8), (5.4, 6)], "keyframes stand at each 0.8 s, and at the cut"
    assert video["trimmed_s"] == pytest.approx(6 - 2.8)
