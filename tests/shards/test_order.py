from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shards.order import Order, neighbour_share, positions, raw_bits, token_batch_sizes


@st.composite
def orders(draw, left_out=True):
    """Orders over a few small shards, with empty ones among them."""
    shard_sizes = draw(st.lists(st.integers(0, 6), min_size=1, max_size=12).filter(any))
    num_buckets = draw(st.integers(1, 4))
    bucket = st.integers(-1 if left_out else 0, num_buckets - 1)
    total = sum(shard_sizes)
    buckets = draw(st.lists(bucket, min_size=total, max_size=total).filter(lambda found: max(found) >= 0))
    batch_sizes = draw(st.lists(st.integers(1, 5), min_size=num_buckets, max_size=num_buckets))
    seed, window = draw(st.integers(0, 2**40)), draw(st.integers(1, 5))
    return Order(shard_sizes, np.array(buckets), batch_sizes, seed, window)


def shard_of(order):
    return np.repeat(np.arange(len(order._shard_sizes)), order._shard_sizes)


def batches(order, first, last):
    return [order[position].tolist() for position in range(first, last)]


@given(orders(), st.integers(0, 5))
def test_the_reading_of_an_epoch_is_a_permutation_of_what_has_a_bucket(order, epoch):
    assert sorted(order.reading(epoch)) == np.flatnonzero(order._buckets >= 0).tolist()


@given(orders(), st.integers(0, 5))
def test_no_more_than_a_window_of_shards_is_open_at_a_time(order, epoch):
    shards = shard_of(order)[order.reading(epoch)].tolist()
    first = {shard: shards.index(shard) for shard in shards}
    last = {shard: len(shards) - shards[::-1].index(shard) for shard in shards}
    open_at_once = [sum(first[shard] <= at < last[shard] for shard in first) for at in range(len(shards))]
    assert max(open_at_once) <= order.window


@given(orders())
def test_a_batch_is_full_and_of_one_bucket(order):
    for batch in batches(order, 0, 3 * order.batches_before(1)):
        (bucket,) = set(order._buckets[batch])
        assert len(batch) == order.batch_sizes[bucket], "none is short"
    assert len(order._kept) <= 2, "epochs are not kept"


@given(orders(), st.integers(1, 6))
def test_each_sample_comes_once_an_epoch_and_what_fills_no_batch_is_carried(order, epochs):
    done = [sample for batch in batches(order, 0, order.batches_before(epochs)) for sample in batch]
    for bucket, count in enumerate(order.num_samples.tolist()):
        stream = [s for e in range(epochs) for s in order.reading(e).tolist() if order._buckets[s] == bucket]
        taken = [sample for sample in done if order._buckets[sample] == bucket]
        assert taken == stream[: len(taken)], "the epochs of a bucket, one after the other"
        assert 0 <= epochs * count - len(taken) < order.batch_sizes[bucket], "all but less than a batch"
    counts = Counter(done)
    assert all(epochs - 1 <= counts[s] <= epochs for s in np.flatnonzero(order._buckets >= 0).tolist())


@given(orders(), st.integers(0, 40))
def test_batches_of_a_bucket_hold_its_samples_in_their_order(order, epoch):
    stream = [*order._carried(epoch).tolist(), *order.reading(epoch).tolist()]
    found = order.epoch(epoch)
    for bucket in range(len(order.num_samples)):
        of_bucket = [batch for batch in map(list, found) if order._buckets[batch[0]] == bucket]
        flat = [sample for batch in of_bucket for sample in batch]
        assert flat == [sample for sample in stream if order._buckets[sample] == bucket][: len(flat)]
    assert len(found) == order.batches_before(epoch + 1) - order.batches_before(epoch)


@given(orders(), st.data())
def test_ranks_that_change_their_number_lose_and_repeat_nothing(order, data):
    """Ranks run some rounds, stop, and go on as another number of ranks, again and again."""
    done, seen = 0, []
    for _ in range(data.draw(st.integers(1, 4))):
        world_size, rounds = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 6))
        fresh = Order(order._shard_sizes, order._buckets, order.batch_sizes, order.seed, order.window)
        ranks = [positions(done, rank, world_size) for rank in range(world_size)]
        shares = [[next(rank) for _ in range(rounds)] for rank in ranks]
        assert len({position for share in shares for position in share}) == rounds * world_size, "disjoint"
        seen += [(position, fresh[position].tolist()) for share in shares for position in share]
        done += rounds * world_size
    assert [batch for _, batch in sorted(seen)] == batches(order, 0, done)


@given(orders(), st.integers(0, 10**6))
def test_a_position_means_the_same_whatever_was_asked_before(order, position):
    epoch, k = order.locate(position)
    assert 0 <= k < order.batches_before(epoch + 1) - order.batches_before(epoch)
    assert order.batches_before(epoch) + k == position
    asked_before = order[position // 2], order[position]
    fresh = Order(order._shard_sizes, order._buckets, order.batch_sizes, order.seed, order.window)
    assert fresh[position].tolist() == asked_before[1].tolist() == order[position].tolist()


@given(orders(), st.integers(0, 60))
def test_samples_before_a_position_are_those_of_its_batches(order, position):
    assert order.samples_before(position) == sum(len(order[k]) for k in range(position))


@given(orders(), st.integers(1, 4), st.data())
def test_slots_tell_their_epoch_and_who_else_is_of_their_bucket(order, epoch, data):
    batches = order.epoch(epoch)
    if not len(batches):
        return
    slot = data.draw(st.sampled_from(batches.slots(data.draw(st.integers(0, len(batches) - 1)))))
    around = list(batches.around(slot))
    bucket = order._buckets[batches.samples[slot]]
    mates = np.flatnonzero(order._buckets[batches.samples] == bucket)
    assert around[0] == slot and sorted(around) == mates.tolist()
    carried = np.sort(batches.samples[batches.carried])
    assert carried.tolist() == sorted(order._carried(epoch).tolist())


def test_the_order_is_the_same_on_every_machine():
    order = Order([3, 0, 4, 2], np.array([0, 1, 0, 1, 0, -1, 0, 1, 0]), [2, 2], seed=7, window=2)
    assert raw_bits(2, 7, 0).tolist() == [8648156199155761070, 7861003179181181637]
    assert order.reading(0).tolist() == [8, 4, 3, 6, 7, 2, 1, 0]
    assert batches(order, 0, 6) == [[8, 4], [3, 7], [6, 2], [1, 7], [0, 8], [2, 0]]


def test_where_one_window_holds_all_shards_everything_is_shuffled_as_without_shards(tmp_path):
    from samples import make_sample

    from shards.reader import ShardSet
    from shards.writer import write_manifest, write_shard

    for shard in range(4):
        write_shard(tmp_path / f"{shard:05d}.tar", [make_sample(10 * shard + k) for k in range(shard)])
    write_manifest(tmp_path, "c0ffee")
    shards = ShardSet(tmp_path)
    order = Order(shards.shard_sizes, np.zeros(6, int), [1], seed=3, window=4)
    assert order.reading(5).tolist() == shards.order(3, 5).tolist()


def test_epochs_and_seeds_have_orders_of_their_own():
    def first(seed, epoch):
        return tuple(Order([50] * 4, np.zeros(200, int), [5], seed).reading(epoch).tolist())

    assert len({first(seed, epoch) for seed in range(4) for epoch in range(4)}) == 16


def test_buckets_are_mixed_and_shards_of_one_bucket_too():
    buckets = np.repeat(np.arange(4), 1000)  # shards of a hundred, each of one bucket
    order = Order([100] * 40, buckets, [10, 10, 20, 5], seed=0, window=40)
    kinds = buckets[[batch[0] for batch in order.epoch(0)]]
    share, chance = neighbour_share(kinds)
    assert share < 1.2 * chance and order.num_samples.tolist() == [1000] * 4
    quarters = [np.bincount(part, minlength=4) / [100, 100, 50, 200] for part in np.array_split(kinds, 4)]
    assert np.abs(np.array(quarters) - 0.25).max() < 0.05, "each bucket comes evenly through the epoch"


def test_a_bucket_smaller_than_its_batch_has_batches_of_all_its_samples():
    order = Order([5], np.array([0, 1, 0, 1, 1]), [8, 2], seed=0)
    assert order.batch_sizes.tolist() == [2, 2]
    assert [sorted(batch) for batch in map(list, order.epoch(3)) if 0 in batch] == [[0, 2]]


def test_shuffling_is_as_good_as_chance_where_the_window_holds_the_set_or_the_shards_are_mixed():
    videos = np.repeat(np.arange(500), 20)  # as if packed video by video: the worst case
    zeros, sizes = np.zeros(10_000, int), [100] * 100

    def times_chance(videos, window):
        share, chance = neighbour_share(videos[Order(sizes, zeros, [8], 0, window).reading(0)])
        return share / chance

    assert times_chance(videos, 100) == pytest.approx(1, abs=0.5)
    assert times_chance(videos, 8) == pytest.approx(100 / 8, rel=0.2), "a window knows only its own videos"
    assert times_chance(np.random.default_rng(0).permutation(videos), 1) == pytest.approx(1, abs=0.5)


def test_chance_is_what_random_orders_have_on_average():
    groups = np.array([0, 0, 0, 1, 1, 2])
    rng = np.random.default_rng(0)
    found = np.mean([neighbour_share(rng.permutation(groups))[0] for _ in range(4000)])
    assert neighbour_share(groups) == (pytest.approx(3 / 5), pytest.approx((6 + 2) / 30))
    assert found == pytest.approx(8 / 30, abs=0.01)


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(0, 100))
def test_shards_are_shuffled_too(seed, epoch):
    order = Order([1] * 1000, np.zeros(1000, int), [1], seed, window=1)
    assert abs(np.corrcoef(order.reading(epoch), np.arange(1000))[0, 1]) < 0.2


def test_a_budget_of_tokens_sizes_the_batches():
    assert token_batch_sizes([100, 300, 7], 700) == [7, 2, 100]
    with pytest.raises(ValueError, match="bucket 1 has 300 tokens, and a batch may have 299"):
        token_batch_sizes([100, 300], 299)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"shard_sizes": [2]}, "3 samples have buckets, the shards hold 2"),
        ({"buckets": np.array([0, 1, 2])}, "numbered from 0 to 1"),
        ({"buckets": np.array([0, -2, 1])}, "numbered from 0 to 1"),
        ({"buckets": np.array([-1, -1, -1])}, "no sample has a bucket"),
        ({"shard_sizes": [], "buckets": np.zeros(0, int)}, "no sample has a bucket"),
        ({"batch_sizes": [1, 0]}, "at least 1"),
        ({"window": 0}, "at least 1"),
        ({"seed": -1}, "at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(settings, reason):
    whole = {"shard_sizes": [2, 1], "buckets": np.array([0, 1, 0]), "batch_sizes": [1, 2], "seed": 0}
    with pytest.raises(ValueError, match=reason):
        Order(**(whole | settings))


@pytest.mark.parametrize("place", [(-1, 0, 1), (0, 1, 1), (0, -1, 2)])
def test_there_are_no_other_ranks_and_positions(place):
    with pytest.raises(ValueError, match="no batch"):
        positions(*place)
    with pytest.raises(IndexError, match="-1"):
        Order([1], np.array([0]), [1], 0)[-1]


def test_planning_takes_little_memory():
    """At most 60 bytes a sample, beside its bucket."""
    import tracemalloc

    order = Order([1000] * 1000, np.zeros(10**6, np.int16), [7], 0)
    tracemalloc.start()
    found = order.epoch(1)
    assert len(found) == 10**6 // 7 and tracemalloc.get_traced_memory()[1] < 60 * 10**6
    tracemalloc.stop()
