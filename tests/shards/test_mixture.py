from itertools import count, islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.mixture import Mixture

mixtures = st.builds(Mixture, st.lists(st.integers(1, 12), min_size=1, max_size=5).map(tuple), st.integers(0, 2**40))


@given(mixtures, st.integers(0, 300))
def test_each_source_gives_its_batches_one_after_the_other(mixture, number):
    found = [mixture.locate(position) for position in range(number)]
    for source in range(len(mixture.weights)):
        assert [k for of, k in found if of == source] == list(range(mixture.counts(number)[source]))


@given(mixtures, st.integers(0, 10**9))
def test_shares_are_exact_at_each_block_and_close_between(mixture, number):
    weights = np.array(mixture.weights)
    counts = np.array(mixture.counts(number))
    assert counts.sum() == number
    assert (np.abs(counts - number * weights / mixture.length) <= weights * (1 - weights / mixture.length) + 1e-6).all()
    blocks = number // mixture.length
    assert mixture.counts(blocks * mixture.length) == (blocks * weights).tolist()


@given(mixtures, st.integers(0, 10**6), st.integers(1, 5))
def test_ranks_that_begin_anywhere_see_what_one_alone_sees(mixture, start, world_size):
    alone = [mixture.locate(position) for position in range(start, start + 4 * world_size)]
    ranks = [islice(count(start + rank, world_size), 4) for rank in range(world_size)]
    shared = [Mixture(mixture.weights, mixture.seed).locate(p) for step in zip(*ranks, strict=True) for p in step]
    assert shared == alone


def test_the_sequence_is_the_same_on_every_machine():
    found = [Mixture((3, 1, 2), seed=5).locate(position)[0] for position in range(12)]
    assert found == [0, 1, 2, 0, 2, 0, 2, 2, 0, 0, 1, 0]


def test_weights_are_brought_to_their_smallest_form():
    assert Mixture((6, 4), 0).weights == (3, 2) and Mixture((7,), 0).length == 1
    assert [Mixture((7,), 0).locate(k) for k in range(3)] == [(0, 0), (0, 1), (0, 2)]


def test_blocks_and_seeds_have_orders_of_their_own():
    blocks = {tuple(Mixture((11, 9), seed)._block(block)) for seed in range(5) for block in range(5)}
    assert len(blocks) == 25


def test_no_rank_is_tied_to_one_source():
    sources = np.array([Mixture((1, 1), 3).locate(position)[0] for position in range(400)])
    for rank in range(2):
        assert 0.35 < sources[rank::2].mean() < 0.65


@pytest.mark.parametrize("weights", [(), (1, 0), (0.7, 0.3), (-1, 2)])
def test_weights_are_whole_numbers(weights):
    with pytest.raises(ValueError, match="whole numbers above 0"):
        Mixture(weights, 0)


def test_weights_whose_shares_would_never_hold_are_refused():
    with pytest.raises(ValueError, match="add up to 10001"):
        Mixture((10_000, 1), 0)
    with pytest.raises(IndexError, match="-1"):
        Mixture((1,), 0).locate(-1)
