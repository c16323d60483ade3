import numpy as np
import pytest

from curation.duplicates.config import PerceptualConfig
from curation.duplicates.perceptual import Fingerprints, perceptual_stars

STEP_S = 0.5


def fingerprints(*clips):
    """Of (times, hashes) each."""
    lengths = [len(times) for times, _ in clips]
    return Fingerprints(
        np.concatenate([hashes for _, hashes in clips]).astype(np.uint64).reshape(-1, 2),
        np.concatenate([times for times, _ in clips]).astype(np.float32),
        np.concatenate([[0], np.cumsum(lengths)]),
    )


def film(seed, frames=20):
    return np.random.default_rng(seed).integers(0, 2**64, (frames, 2), dtype=np.uint64)


def clip(seed, first=0, last=20, start_s=0.0, flips=0):
    """Frames of a film; with some bits of each flipped."""
    hashes, rng = film(seed)[first:last].copy(), np.random.default_rng(99 + seed)
    for row in range(len(hashes)):
        for bit in rng.choice(128, flips, replace=False).tolist():
            hashes[row, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return start_s + STEP_S * np.arange(first, last), hashes


def grouped(*clips, **settings):
    return perceptual_stars(fingerprints(*clips), PerceptualConfig(**settings))


def test_other_encodings_and_pieces_are_found():
    stars = grouped(clip(1), clip(2), clip(1, flips=8), clip(1, 5, 11, start_s=40), clip(3))
    assert stars.best.tolist() == [0, 1, 0, 0, 4]
    assert stars.similarity[2] == pytest.approx(1 - 8 / 128) and stars.similarity[3] == 1


def test_pieces_of_one_film_that_share_too_little_stay_apart():
    stars = grouped(clip(1, 0, 10), clip(1, 5, 15), clip(1, 10, 20))
    assert stars.best.tolist() == [0, 1, 2]
    assert grouped(clip(1, 0, 10), clip(1, 5, 15), min_overlap=0.5).best.tolist() == [0, 0]


def test_pieces_do_not_join_through_the_whole_where_they_rank_higher():
    # The two halves are better than the whole: it joins the first, and the second stays.
    assert grouped(clip(1, 0, 10), clip(1, 10, 20), clip(1)).best.tolist() == [0, 1, 0]
    assert grouped(clip(1), clip(1, 0, 10), clip(1, 10, 20)).best.tolist() == [0, 0, 0]


def still(frames, start_s=0.0):
    return start_s + STEP_S * np.arange(frames), film(1, 1).repeat(frames, axis=0)


def after(clip, more):
    """A clip that goes on with frames of another."""
    return STEP_S * np.arange(len(clip[1]) + len(more[1])), np.concatenate([clip[1], more[1]])


def test_still_clips_of_other_lengths_are_duplicates():
    assert grouped(still(40), still(120)).best.tolist() == [0, 0]
    assert grouped(still(120, start_s=500.0), clip(2), still(40), still(7)).best.tolist() == [0, 1, 0, 0]


def test_clips_that_share_a_still_and_go_on_otherwise_are_duplicates_where_they_share_enough():
    # Of 40 frames, 10 that differ by a half are 0.125 on the mean, 20 are 0.25.
    assert grouped(after(still(30), clip(2, 0, 10)), after(still(30), clip(3, 0, 10))).best.tolist() == [0, 0]
    assert grouped(after(still(20), clip(2)), after(still(20), clip(3))).best.tolist() == [0, 1]


def test_hashes_too_far_apart_are_no_duplicates():
    assert grouped(clip(1), clip(1, flips=20)).best.tolist() == [0, 1]
    assert grouped(clip(1), clip(1, flips=20), max_distance=0.2).best.tolist() == [0, 0]


def test_more_copies_than_a_hash_has_neighbours_are_one_group():
    stars = grouped(*(clip(1, flips=number % 3) for number in range(60)), clip(2))
    assert stars.best.tolist() == [0] * 60 + [60]


def test_clips_without_hashes_stand_alone():
    nothing = clip(1, 0, 0)
    assert grouped(nothing, clip(1), nothing, clip(1)).best.tolist() == [0, 1, 2, 1]
    assert grouped(nothing, nothing).best.tolist() == [0, 1]


def test_every_film_of_a_small_corpus_is_one_group():
    rng = np.random.default_rng(3)
    films, firsts = rng.integers(30, size=120).tolist(), rng.integers(5, size=120).tolist()
    # Any two clips of a film share at least 8 of their 12 frames.
    stars = grouped(*(clip(seed, first, first + 12, flips=4) for seed, first in zip(films, firsts, strict=True)))
    assert stars.best.tolist() == [films.index(seed) for seed in films]
