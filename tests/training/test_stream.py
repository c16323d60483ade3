import pickle

import numpy as np
import pytest
import torch
from clipset import gray_clip, overwrite, put_set
from torch.utils.data import DataLoader

from training.bucket import Bucket
from training.clips import ClipSource
from training.conditioning import Conditioning, Micro
from training.rates import Rates
from training.sample_plan import SKIPPED, Plan
from training.sources import Example, Source, rng_of, uniforms
from training.stream import MAX_FAILURES, Item, Positions, Stream, collate


class Numbered(Source):
    """`count` examples whose one pixel is their number, and the first number drawn; some cannot be read.

    Sample i is of bucket i % `num_buckets`, which is told by the width of its frame.
    """

    def __init__(self, name: str, count: int, broken: tuple[int, ...] = (), num_buckets: int = 1) -> None:
        self.name, self._broken = name, broken
        self.plan = Plan(np.arange(count), SKIPPED.empty_table(), np.arange(count) % num_buckets)

    def key(self, i):
        return f"{self.name}{i}"

    def read(self, i, rng):
        if i in self._broken:
            raise ValueError(f"broken: number {i}")
        size = (1, 2, 2 + int(self.plan.buckets[i]), 3)
        return Example(self.key(i), torch.full(size, i, dtype=torch.uint8), "", tuple(uniforms(rng, 1)))


def keys(stream, first, last):
    return [key for position in range(first, last) for key in stream[position].keys]


def one_by_one(*sources, seed=0):
    return Stream(sources, [1], seed)


def test_an_epoch_holds_each_sample_once_in_an_order_of_its_own():
    stream = one_by_one(Numbered("a", 11), seed=3)
    epochs = [keys(stream, 11 * epoch, 11 * epoch + 11) for epoch in range(4)]
    assert all(set(epoch) == {f"a{i}" for i in range(11)} for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert keys(one_by_one(Numbered("a", 11), seed=4), 0, 11) != epochs[0]


def test_a_position_means_the_same_whatever_was_asked_before():
    stream = one_by_one(Numbered("a", 11))
    wanted = [0, 8, 9, 3, 7, 5, 1, 2, 10, 6, 4]
    assert keys(stream, 0, 11) == [f"a{i}" for i in wanted], "as on every machine, as in shards/reader.py"
    for position in (30, 2, 17, 30, 29):
        batch, again = stream[position], one_by_one(Numbered("a", 11))[position]
        assert (batch.keys, batch.seeds.tolist()) == (again.keys, again.seeds.tolist())
        assert torch.equal(batch.micro, again.micro)


def test_shards_are_read_a_window_at_a_time(tmp_path):
    samples = [gray_clip(k, 8 if k % 5 else 2) for k in range(40)]
    source = ClipSource(put_set(tmp_path, samples, per_shard=2), [Bucket(4, 32, 48)], Rates([12]), CONDITIONING)
    assert source.stretches.tolist() == [int(2 * s % 5 != 0) + int((2 * s + 1) % 5 != 0) for s in range(20)]
    for epoch in range(3):
        numbers = one_by_one(source, seed=3).orders[0].epoch(epoch).samples
        shards = (source.plan.usable[numbers] // 2).tolist()
        assert sorted(numbers) == list(range(32)) and shards != sorted(shards)
        open_at_once = [len({*shards[: k + 1]} & {*shards[k:]}) for k in range(32)]
        assert max(open_at_once) <= 8


def test_batches_are_of_one_bucket_and_of_its_size():
    stream = Stream([Numbered("a", 30, num_buckets=3)], [5, 2, 3], seed=1)
    num_batches = 30 // 3 // 5 + 30 // 3 // 2 + 3  # of the last bucket one sample is carried on
    batches = [stream[position] for position in range(num_batches)]
    buckets = [batch.frames.shape[3] - 2 for batch in batches]
    assert [len(batch) for batch in batches] == [[5, 2, 3][bucket] for bucket in buckets] and len(set(buckets)) == 3
    seen = [key for batch in batches for key in batch.keys]
    assert len(seen) == len(set(seen)) == 29
    for position in (0, 4, num_batches, 3 * num_batches + 2):
        wanted = sum(len(stream[before]) for before in range(position))
        assert stream.samples_before(position) == wanted


def test_what_is_carried_on_draws_what_it_would_have_drawn_in_its_own_epoch():
    stream, plain = Stream([Numbered("a", 7)], [4], seed=2), one_by_one(Numbered("a", 7), seed=2)
    batches, singles = [stream[position] for position in range(7)], [plain[position] for position in range(28)]
    assert [key for batch in batches for key in batch.keys] == [single.keys[0] for single in singles]
    assert [seed for batch in batches for seed in batch.seeds.tolist()] == [int(single.seeds[0]) for single in singles]


def test_sets_are_mixed_by_weight_each_in_epochs_of_its_own():
    stream = Stream([Numbered("a", 6), Numbered("b", 4)], [2], seed=0, weights=[3, 1])
    seen = [[key[0] for key in stream[position].keys] for position in range(16)]
    assert [len(set(batch)) for batch in seen] == [1] * 16, "a batch is of one set"
    for round in range(4):
        assert sorted(batch[0] for batch in seen[4 * round : 4 * round + 4]) == ["a", "a", "a", "b"]
    epochs = {name: [key for key in keys(stream, 0, 16) if key[0] == name] for name in "ab"}
    assert [sorted(epochs["a"][k : k + 6]) for k in range(0, 24, 6)] == [[f"a{i}" for i in range(6)]] * 4
    assert [sorted(epochs["b"][k : k + 4]) for k in range(0, 8, 4)] == [[f"b{i}" for i in range(4)]] * 2
    seeds = [seed for position in range(16) for seed in stream[position].seeds.tolist()]
    assert len(set(seeds)) == len(seeds), "samples of different sets draw differently"
    with pytest.raises(ValueError, match="2 sets need as many weights, not 1"):
        Stream([Numbered("a", 6), Numbered("b", 4)], [2], seed=0, weights=[3])


def test_the_first_samples_come_in_their_order_bucket_by_bucket():
    stream = Stream([Numbered("a", 10, broken=(2,), num_buckets=2)], [2, 2], seed=0)
    assert [batch.keys for batch in stream.first(7)] == [["a0"], ["a4", "a6"], ["a1", "a3"], ["a5"]]
    ranks = [[batch.keys for batch in stream.first(100, rank, 3)] for rank in range(3)]
    assert sorted(key for rank in ranks for keys in rank for key in keys) == [f"a{i}" for i in range(10) if i != 2]
    again = [batch.seeds.tolist() for batch in stream.first(7)]
    assert again == [batch.seeds.tolist() for batch in stream.first(7)]


def test_the_seed_of_noise_is_drawn_first_and_its_own():
    stream = one_by_one(Numbered("a", 50), seed=7)
    batches = [stream[position] for position in range(100)]
    seeds = [int(batch.seeds[0]) for batch in batches]
    assert len(set(seeds)) == 100 and all(0 <= seed < 2**63 for seed in seeds)
    for position, batch in enumerate(batches):
        epoch, number = position // 50, int(batch.keys[0][1:])
        bits = rng_of(7, epoch, number).bit_generator.random_raw(2)
        assert seeds[position] == int(bits[0]) >> 1
        assert batch.micro[0, 0] == torch.tensor((int(bits[1]) >> 11) / 2**53, dtype=torch.float32)


def test_what_cannot_be_read_is_replaced_by_the_next_of_its_bucket_and_reported():
    whole, stream = (Stream([Numbered("a", 12, broken, 2)], [3, 3], seed=0) for broken in ((), (1, 4, 5)))
    num_met = 0
    for position in range(4):
        batch, wanted = stream[position], whole[position]
        assert batch.frames.shape == wanted.frames.shape
        failed = [key for key in wanted.keys if key in ("a1", "a4", "a5")]
        assert {key for key, _ in batch.failures} >= set(failed)
        assert all(reason == f"broken: number {key[1:]}" for key, reason in batch.failures)
        assert not {"a1", "a4", "a5"} & set(batch.keys)
        others = {key: seed for key, seed in zip(wanted.keys, wanted.seeds.tolist(), strict=True) if key in batch.keys}
        told = dict(zip(batch.keys, batch.seeds.tolist(), strict=True))
        assert all(told[key] == seed for key, seed in others.items()), "a sample's seed goes with it"
        num_met += len(failed)
    assert num_met == 3


@pytest.mark.parametrize(("count", "tries"), [(3, 3), (500, MAX_FAILURES)])
def test_it_gives_up_where_nothing_can_be_read(count, tries):
    with pytest.raises(RuntimeError, match=rf"{tries} samples in a row .* a\d+, broken: number \d+"):
        one_by_one(Numbered("a", count, broken=tuple(range(count))))[0]


def test_there_is_no_position_below_zero_and_no_empty_stream():
    with pytest.raises(IndexError, match="-1"):
        one_by_one(Numbered("a", 2))[-1]
    with pytest.raises(ValueError, match="there is no set"):
        one_by_one()


def test_no_other_error_is_swallowed():
    source = Numbered("a", 2)
    source.read = lambda i, rng: 1 / 0
    with pytest.raises(ZeroDivisionError):
        one_by_one(source)[0]


def test_a_batch_of_items():
    stream = Stream([Numbered("a", 9)], [3], seed=1)
    batch = stream[1]
    assert len(batch) == 3 and batch.frames.shape == (3, 1, 2, 2, 3) and batch.frames.dtype == torch.uint8
    assert [f"a{frames.flatten()[0]}" for frames in batch.frames] == batch.keys
    assert batch.micro.shape == (3, 1) and batch.micro.dtype == torch.float32 and batch.seeds.dtype == torch.int64
    moved = batch.to("meta", non_blocking=True)
    assert moved.frames.is_meta and moved.micro.is_meta and not moved.seeds.is_meta and moved.keys == batch.keys


def test_numbers_may_be_none_at_all():
    bare = Example("a", torch.zeros(1, 2, 2, 3, dtype=torch.uint8), "", ())
    assert collate([Item(bare, 1), Item(bare, 2)]).micro.shape == (2, 0)


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_share_the_batches(world_size):
    ranks = [Positions(10, 4, rank, world_size) for rank in range(world_size)]
    assert [len(rank) for rank in ranks] == [4] * world_size
    flat = [position for step in zip(*ranks, strict=True) for position in step]
    assert flat == list(range(10, 10 + 4 * world_size))
    assert list(ranks[0]) == list(ranks[0]), "it can be gone through again"


CONDITIONING = Conditioning((Micro("fps"), Micro("scores.motion", 100.0)))


def clips(folder) -> ClipSource:
    shards = put_set(folder, [gray_clip(k, 20, first=k) for k in range(7)])
    return ClipSource(shards, [Bucket(4, 32, 48)], Rates([8, 12]), CONDITIONING)


def batches(stream, num_workers, start=0):
    loader = DataLoader(stream, None, sampler=Positions(start, 7), collate_fn=lambda x: x, num_workers=num_workers)
    return [
        (
            batch.keys,
            batch.frames.numpy().tobytes(),
            batch.captions,
            batch.micro.tolist(),
            batch.seeds.tolist(),
            batch.failures,
        )
        for batch in loader
    ]


def test_a_position_gives_the_same_bytes_with_any_number_of_workers(tmp_path):
    source = clips(tmp_path)
    overwrite(source._shards, 2, bytes(10**6))
    stream = Stream([source], [3], seed=5)
    alone = batches(stream, 0)
    assert batches(stream, 2) == alone, "as one process"
    assert batches(Stream([source], [3], seed=5), 0, start=3)[:4] == alone[3:], "as a run that begins later"
    failures = {failure for batch in alone for failure in batch[5]}
    assert [key for key, _ in failures] == [source.key(2)]
    assert all(reason.startswith("does not decode: ") for _, reason in failures)


def test_a_stream_can_be_sent_to_a_worker(tmp_path):
    stream = Stream([clips(tmp_path)], [1], seed=5)
    batch, size = stream[4], len(pickle.dumps(stream))
    copy = pickle.loads(pickle.dumps(stream))[4]
    assert torch.equal(copy.frames, batch.frames) and copy.seeds.tolist() == batch.seeds.tolist()
    assert size < 100_000
