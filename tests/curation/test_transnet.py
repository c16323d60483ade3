from fractions import Fraction

import numpy as np
import pytest
from footage import noise_scene, small

from curation.shot_network import shot_network
from curation.splitter import Boundaries
from curation.splitters.transnet import TransNet, TransNetDetector, boundaries, in_ticks, runs

TIME_BASE = Fraction(1, 1000)


def found_in(frames: list[np.ndarray], pts: list[int], **settings) -> Boundaries:
    detector = TransNet(device="cpu", **settings).build(TIME_BASE, Fraction(24))
    for time, frame in zip(pts, frames, strict=True):
        detector.process(small(time, frame))
    return detector.finish()


def bright(num_frames: int) -> list[np.ndarray]:
    return noise_scene(0, num_frames)


def dark(num_frames: int) -> list[np.ndarray]:
    return [frame // 3 for frame in noise_scene(1, num_frames)]


def dissolve(before: list[np.ndarray], after: list[np.ndarray], length: int) -> list[np.ndarray]:
    """Two scenes that overlap by so many frames."""
    shares = np.arange(1, length + 1) / (length + 1)
    mixed = [(1 - s) * a + s * b for s, a, b in zip(shares, before[-length:], after[:length], strict=True)]
    return before[:-length] + [frame.astype(np.uint8) for frame in mixed] + after[length:]


@pytest.mark.parametrize("first", [0, 1400, -200])
def test_a_cut_is_the_first_frame_of_the_new_scene_wherever_time_starts(first):
    pts = [first + 40 * k for k in range(40)]
    assert found_in(bright(22) + dark(18), pts) == Boundaries([pts[22]], [])


def test_a_dissolve_is_a_span_and_times_of_variable_rate_come_back_exactly():
    frames = dissolve(bright(40), dark(40), 14)  # frames 26 to 39
    pts = np.cumsum(np.random.default_rng(0).integers(20, 60, len(frames))).tolist()
    found = found_in(frames, pts)
    assert found.cuts_pts == []
    [(start, end)] = found.transitions_pts
    assert start in pts[24:28] and end in pts[38:43]


@pytest.mark.parametrize("length", [26, 74, 75, 76, 125, 176])
def test_windows_cover_every_frame_whatever_their_number(length):
    pts = [40 * k for k in range(length)]
    frames = bright(length - 12) + dark(12)
    assert found_in(frames, pts).cuts_pts == [pts[length - 12]]


def test_batches_change_nothing():
    frames, pts = bright(130) + dark(130), [40 * k for k in range(260)]
    network = shot_network("cpu", 1)
    alone, together = (TransNetDetector(TransNet(batch_windows=n), network) for n in (1, 3))
    for detector in (alone, together):
        for time, frame in zip(pts, frames, strict=True):
            detector.process(small(time, frame))
        detector.finish()
    np.testing.assert_allclose(alone._chances[:520], together._chances[:520], atol=1e-5)


def test_the_same_frames_give_the_same_bytes():
    frames = np.random.default_rng(0).integers(0, 256, (1, 100, 27, 48, 3), np.uint8)
    network = shot_network("cpu", 1)
    assert network.probabilities(frames).tobytes() == network.probabilities(frames).tobytes()


def test_what_is_held_does_not_grow_with_the_video():
    detector = TransNetDetector(TransNet(device="cpu"), shot_network("cpu", 1))
    held = set()
    for number in range(320):
        detector.process(small(number, np.zeros((27, 48, 3), np.uint8)))
        held.add(len(detector._held))
    assert max(held) < 100


def test_no_frame_and_one_frame_are_no_trouble():
    assert found_in([], []) == Boundaries([], [])
    assert found_in(bright(1), [7]) == Boundaries([], [])


def test_the_answer_is_read_as_cuts_and_spans():
    chances = np.zeros((30, 2), np.float32)
    chances[4] = 0.9, 0.9  # a hard cut before frame 5
    chances[10:20, 1], chances[14, 0] = 0.8, 0.7  # a dissolve
    assert boundaries(chances, 0.5, 0.3) == [(5, 5), (10, 20)]
    assert in_ticks([(5, 5), (10, 30)], np.arange(0, 300, 10)) == Boundaries([50], [(100, 291)])
    assert runs(np.array([True, False, True, True])) == [(0, 1), (2, 4)]
