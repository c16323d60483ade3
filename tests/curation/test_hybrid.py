from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from footage import noise_scene, small

from curation.splitter import Boundaries
from curation.splitters import hybrid
from curation.splitters.hybrid import READING, Hybrid, HybridDetector, doubtful

TIME_BASE = Fraction(1, 1000)
ALONE = Hybrid(doubt=(1.0, 1.0))
MARGIN = ALONE.span_margin


def detector_after(frames: list[np.ndarray], pts: list[int], splitter: Hybrid = ALONE) -> HybridDetector:
    detector = splitter.build(TIME_BASE, Fraction(24))
    for time, frame in zip(pts, frames, strict=True):
        detector.process(small(time, frame))
    assert isinstance(detector, HybridDetector)
    return detector


def found_in(frames: list[np.ndarray], pts: list[int], splitter: Hybrid = ALONE) -> Boundaries:
    return detector_after(frames, pts, splitter).finish()


def scenes(*lengths: int) -> list[list[np.ndarray]]:
    """Scenes of which every other one is much darker."""
    return [[frame // (1 + 2 * (seed % 2)) for frame in noise_scene(seed, n)] for seed, n in enumerate(lengths)]


def film(*lengths: int) -> list[np.ndarray]:
    return [frame for scene in scenes(*lengths) for frame in scene]


def mixed(before: list[np.ndarray], after: list[np.ndarray]) -> list[np.ndarray]:
    shares = np.arange(1, len(before) + 1) / (len(before) + 1)
    return [((1 - s) * a + s * b).astype(np.uint8) for s, a, b in zip(shares, before, after, strict=True)]


@pytest.mark.parametrize("splitter", [ALONE, Hybrid(device="cpu", doubt=(0.0, 1.1))])
@pytest.mark.parametrize("first", [0, 1400, -200])
def test_a_cut_is_the_first_frame_of_the_new_scene_wherever_time_starts(first, splitter):
    pts = [first + 40 * k for k in range(60)]
    assert found_in(film(34, 26), pts, splitter) == Boundaries([pts[34]], [])


def test_times_of_variable_rate_come_back_exactly():
    pts = np.cumsum(np.random.default_rng(0).integers(20, 60, 70)).tolist()
    assert found_in(film(34, 36), pts).cuts_pts == [pts[34]]


def test_a_dissolve_is_a_span_that_covers_it():
    a, b = scenes(60, 60)
    frames = a[:40] + mixed(a[40:56], b[:16]) + b[16:]
    found = found_in(frames, list(range(len(frames))))
    assert found.cuts_pts == []
    [(start, end)] = found.transitions_pts
    assert 30 <= start + MARGIN <= 43 and 53 <= end - MARGIN <= 62


@pytest.mark.parametrize("num_black", [1, 8, 16, 32])
def test_a_fade_out_and_a_fade_in_are_two_spans_apart_from_each_other(num_black):
    a, b = scenes(60, 60)
    black = [np.zeros_like(a[0])] * 16
    frames = a[:40] + mixed(a[40:56], black) + black[:1] * num_black + mixed(black, b[:16]) + b[16:]
    found = found_in(frames, list(range(len(frames))))
    assert found.cuts_pts == []
    (out, back) = found.transitions_pts
    fade_in = 56 + num_black
    assert 30 <= out[0] + MARGIN <= 44 and 53 <= out[1] <= 62 + MARGIN
    assert max(out[1], fade_in - 12) <= back[0] <= fade_in + 3 and fade_in + 11 <= back[1] - MARGIN <= fade_in + 27


def test_a_flash_is_no_cut():
    frames = noise_scene(0, 80)
    frames[40] = np.clip(frames[40].astype(int) + 120, 0, 255).astype(np.uint8)
    assert found_in(frames, list(range(80))) == Boundaries([], [])


def test_where_chunks_end_changes_nothing(monkeypatch):
    frames = film(70, 50, 90, 40, 60)
    whole = detector_after(frames, list(range(len(frames))))
    monkeypatch.setattr(hybrid, "CHUNK", 64)
    chunks = detector_after(frames, list(range(len(frames))))
    assert whole.finish() == chunks.finish()
    for name in READING.names or ():
        np.testing.assert_allclose(whole._log.read()[name], chunks._log.read()[name], atol=1e-5)


def test_what_is_held_does_not_grow_with_the_video(monkeypatch):
    monkeypatch.setattr(hybrid, "CHUNK", 64)
    detector = ALONE.build(TIME_BASE, Fraction(24))
    assert isinstance(detector, HybridDetector)
    held = set()
    for number in range(900):
        detector.process(small(number, np.zeros((27, 48, 3), np.uint8)))
        held.add(len(detector._held))
    assert max(held) < 64 + 2 * hybrid.MARGIN


def test_the_network_is_asked_only_where_there_is_doubt():
    sure, still = np.zeros((200, 2), np.float32), np.zeros((200, 2), np.float32)
    sure[50, 0] = 0.99
    assert doubtful(sure, (0.1, 0.9)) == doubtful(still, (0.1, 0.9)) == []
    sure[50, 0], sure[100:180, 1] = 0.5, 0.3
    assert doubtful(sure, (0.1, 0.9)) == [(47, 54), (97, 161), (161, 183)]


def test_no_frame_and_one_frame_are_no_trouble():
    assert found_in([], []) == Boundaries([], [])
    assert found_in(noise_scene(0, 1), [7]) == Boundaries([], [])


@pytest.mark.parametrize("suspicion_threshold", [0.5, 1.0])
def test_a_small_title_that_fades_is_suspected(suspicion_threshold):
    title, black = np.zeros((2, 27, 48, 3), np.uint8)
    title[11:13, 18:30] = np.random.default_rng(0).integers(60, 120, (2, 12, 1))
    frames = [title] * 40 + mixed([title] * 27, [black] * 27) + [black] * 40
    found = found_in(frames, list(range(len(frames))), replace(ALONE, suspicion_threshold=suspicion_threshold))
    out = [span for span in found.suspected_pts if span[0] <= 41 and span[1] >= 66]
    assert found.cuts_pts == found.transitions_pts == []
    assert len(out) == (suspicion_threshold < 1)
