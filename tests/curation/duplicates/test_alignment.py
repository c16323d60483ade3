import numpy as np
import pytest

from curation.duplicates.alignment import HashedFrames, distance


def film(frames, start_s=0.0, seed=0, step_s=0.5):
    """So many unlike frames."""
    hashes = np.random.default_rng(seed).integers(0, 2**64, (100, 2), dtype=np.uint64)[:frames]
    return HashedFrames((start_s + step_s * np.arange(frames)).astype(np.float32), hashes)


def piece(whole, first, last, shift_s=0.0):
    return HashedFrames(whole.times_s[first:last] + np.float32(shift_s), whole.hashes[first:last])


def test_the_same_film_is_at_distance_zero_and_another_at_half():
    assert distance(film(10), film(10, start_s=70.0), [-70.0], 0.6) == 0
    assert distance(film(10), film(10, seed=1), [0.0], 0.6) == pytest.approx(0.5, abs=0.05)


def test_the_best_offset_wins_and_the_order_of_the_two_does_not_matter():
    whole = film(20)
    part = piece(whole, 4, 12, shift_s=100.0)
    assert distance(whole, part, [3.0, -100.0, 7.5], 0.6) == 0
    assert distance(part, whole, [-3.0, 100.0, -7.5], 0.6) == 0
    assert distance(whole, part, [3.0], 0.6) > 0.4


def test_the_offset_that_most_frames_tell_is_tried():
    whole = film(20)
    wrong = [float(k) for k in range(1, 60)]
    assert distance(whole, piece(whole, 4, 12), [*wrong, 0.0, 0.0], 0.6) == 0


def test_overlap_counts_in_the_shorter_one():
    left, right = piece(film(20), 0, 10), piece(film(20), 6, 14)  # they share 4 frames of 10 and of 8
    assert distance(left, right, [0.0], 0.5) == 0
    assert distance(left, right, [0.0], 0.6) > 0.4  # other offsets give enough, of other frames


def test_clips_that_begin_or_end_together_are_found_whatever_the_offsets_told():
    whole, wrong = film(20), [33.0]
    for part in (piece(whole, 0, 8, shift_s=50.0), piece(whole, 12, 20, shift_s=50.0)):
        assert distance(whole, part, wrong, 0.6) == distance(part, whole, wrong, 0.6) == 0
    assert distance(whole, piece(whole, 4, 12, shift_s=50.0), wrong, 0.6) > 0.4


def still(frames, start_s=0.0):
    return HashedFrames(film(frames, start_s).times_s, film(1).hashes.repeat(frames, axis=0))


def then(*clips):
    """One after the other."""
    hashes = np.concatenate([clip.hashes for clip in clips])
    return HashedFrames((0.5 * np.arange(len(hashes))).astype(np.float32), hashes)


def test_stills_of_any_length_are_one_though_the_frames_that_met_lie_apart():
    short, long = still(40), still(120, start_s=300.0)
    met = (short.times_s[-8:, None] - long.times_s[None, :8]).ravel()  # neighbours in a sort
    assert distance(short, long, met, 0.6) == distance(long, short, -met, 0.6) == 0


def test_a_still_that_goes_on_otherwise_must_be_long_enough():
    for frames, least, most in ((30, 0.1, 0.14), (20, 0.2, 0.3)):  # of 40: 10 or 20 frames are unlike, by a half
        left, right = then(still(frames), film(40 - frames, seed=1)), then(still(frames), film(40 - frames, seed=2))
        assert least < distance(left, right, [19.5], 0.6) < most


def test_a_frame_in_a_gap_has_no_counterpart():
    whole = film(20)
    holed = HashedFrames(np.delete(whole.times_s, range(5, 15)), np.delete(whole.hashes, range(5, 15), axis=0))
    assert distance(holed, piece(whole, 4, 14), [0.0], 0.6) == np.inf
    assert distance(holed, piece(whole, 0, 8), [0.0], 0.6) == 0


def test_one_frame_proves_nothing():
    assert distance(film(10), piece(film(10), 3, 4), [0.0], 0.6) == np.inf
    assert distance(film(10), piece(film(10), 3, 3), [0.0], 0.6) == np.inf
