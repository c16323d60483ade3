import pickle

import numpy as np
import pytest
import torch
from clipset import gray_clip, overwrite, put_set
from torch.utils.data import DataLoader

from training.buckets import SKIPPED, Bucket, Plan
from training.clips import ClipSource
from training.conditioning import Conditioning, Micro
from training.sources import Example, Source, rng_of, uniforms
from training.stream import MAX_FAILURES, Positions, Stream, collate


class Numbered(Source):
    """`count` examples whose one pixel is their number, and the first number drawn; some cannot be read."""

    def __init__(self, name: str, count: int, broken: tuple[int, ...] = ()) -> None:
        self.name, self._broken = name, broken
        self.plan = Plan(np.arange(count), SKIPPED.empty_table())

    def key(self, i):
        return f"{self.name}{i}"

    def read(self, i, rng):
        if i in self._broken:
            raise ValueError(f"broken: number {i}")
        return Example(self.key(i), torch.full((1, 2, 2, 3), i, dtype=torch.uint8), "", tuple(uniforms(rng, 1)))


def keys(stream, first, last):
    return [stream[position].example.key for position in range(first, last)]


def test_an_epoch_holds_each_sample_once_in_an_order_of_its_own():
    stream = Stream([Numbered("a", 4), Numbered("b", 0), Numbered("c", 7)], seed=3)
    everything = {f"a{i}" for i in range(4)} | {f"c{i}" for i in range(7)}
    epochs = [keys(stream, 11 * epoch, 11 * epoch + 11) for epoch in range(4)]
    assert all(set(epoch) == everything for epoch in epochs) and len({tuple(epoch) for epoch in epochs}) == 4
    assert keys(Stream([Numbered("a", 4), Numbered("c", 7)], seed=4), 0, 11) != epochs[0]


def test_a_position_means_the_same_whatever_was_asked_before():
    stream = Stream([Numbered("a", 11)], seed=0)
    assert stream.order(0).tolist() == [0, 8, 9, 3, 7, 5, 1, 2, 10, 6, 4], "as on every machine, as in shards/reader.py"
    items = {position: stream[position] for position in (30, 2, 17, 30, 29)}
    for position, item in items.items():
        again = Stream([Numbered("a", 11)], seed=0)[position]
        assert (item.position, item.seed, item.example.micro) == (position, again.seed, again.example.micro)


def test_shards_are_read_a_window_at_a_time(tmp_path):
    source = ClipSource(
        put_set(tmp_path, [gray_clip(k, 8 if k % 5 else 2) for k in range(40)], per_shard=2),
        Bucket(4, 32, 48),
        [12],
        CONDITIONING,
    )
    assert source.stretches.tolist() == [int(2 * s % 5 != 0) + int((2 * s + 1) % 5 != 0) for s in range(20)]
    for epoch in range(3):
        numbers = Stream([source], seed=3).order(epoch)
        shards = (source.plan.usable[numbers] // 2).tolist()
        assert sorted(numbers) == list(range(32)) and shards != sorted(shards)
        open_at_once = [len({*shards[: k + 1]} & {*shards[k:]}) for k in range(32)]
        assert max(open_at_once) <= 8


def test_without_shuffling_the_order_is_that_of_the_sources():
    stream = Stream([Numbered("a", 2), Numbered("b", 2)], seed=0, shuffle=False)
    assert keys(stream, 0, 9) == ["a0", "a1", "b0", "b1"] * 2 + ["a0"]


def test_the_seed_of_noise_is_drawn_first_and_its_own():
    stream = Stream([Numbered("a", 50)], seed=7)
    items = [stream[position] for position in range(100)]
    assert len({item.seed for item in items}) == 100 and all(0 <= item.seed < 2**63 for item in items)
    for item in items:
        epoch, number = item.position // 50, int(item.example.key[1:])
        bits = rng_of(7, epoch, number).bit_generator.random_raw(2)
        assert item.seed == int(bits[0]) >> 1 and item.example.micro[0] == (int(bits[1]) >> 11) / 2**53


def test_what_cannot_be_read_is_replaced_by_the_next_and_reported():
    stream = Stream([Numbered("a", 6, broken=(1, 4, 5))], seed=0, shuffle=False)
    items = [stream[position] for position in range(6)]
    assert [item.example.key for item in items] == ["a0", "a2", "a2", "a3", "a0", "a0"]
    one, four, five = (f"a{i}" for i in (1, 4, 5))
    failures = [[key for key, _ in item.failures] for item in items]
    assert failures == [[], [one], [], [], [four, five], [five]]
    assert items[1].failures == ((one, "broken: number 1"),)
    assert items[1].seed == items[2].seed, "a sample's seed goes with it"
    assert collate(items).failures == sum((item.failures for item in items), ())


@pytest.mark.parametrize(("count", "tries"), [(3, 3), (500, MAX_FAILURES)])
def test_it_gives_up_where_nothing_can_be_read(count, tries):
    with pytest.raises(RuntimeError, match=rf"{tries} samples in a row .* a\d+, broken: number \d+"):
        Stream([Numbered("a", count, broken=tuple(range(count)))], seed=0)[0]


def test_there_is_no_position_below_zero_and_no_empty_stream():
    with pytest.raises(IndexError, match="-1"):
        Stream([Numbered("a", 2)], seed=0)[-1]
    for sources in ([], [Numbered("a", 0)]):
        with pytest.raises(ValueError, match="sources are empty"):
            Stream(sources, seed=0)


def test_no_other_error_is_swallowed():
    source = Numbered("a", 2)
    source.read = lambda i, rng: 1 / 0
    with pytest.raises(ZeroDivisionError):
        Stream([source], seed=0)[0]


def test_a_batch_of_items():
    stream = Stream([Numbered("a", 5)], seed=1)
    items = [stream[position] for position in (3, 4, 5)]
    batch = collate(items)
    assert len(batch) == 3 and batch.frames.shape == (3, 1, 2, 2, 3) and batch.frames.dtype == torch.uint8
    assert [f"a{frames.flatten()[0]}" for frames in batch.frames] == batch.keys
    assert batch.micro.shape == (3, 1) and batch.micro.dtype == torch.float32
    assert batch.seeds.tolist() == [item.seed for item in items] and batch.seeds.dtype == torch.int64
    moved = batch.to("meta", non_blocking=True)
    assert moved.frames.is_meta and moved.micro.is_meta and not moved.seeds.is_meta and moved.keys == batch.keys


def test_numbers_may_be_none_at_all():
    item = Stream([Numbered("a", 2)], seed=1)[0]
    bare = Example("a", item.example.frames, "", ())
    assert collate([type(item)(0, bare, 1, ()), type(item)(1, bare, 2, ())]).micro.shape == (2, 0)


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_share_each_global_batch(world_size):
    ranks = [Positions(5, 4, 2, rank, world_size) for rank in range(world_size)]
    assert [len(rank) for rank in ranks] == [4] * world_size
    flat = [position for step in zip(*ranks, strict=True) for batch in step for position in batch]
    assert flat == list(range(5 * 2 * world_size, 9 * 2 * world_size))
    assert list(ranks[0]) == list(ranks[0]), "it can be gone through again"


CONDITIONING = Conditioning((Micro("fps"), Micro("scores.motion", 100.0)))


def clips(folder) -> ClipSource:
    return ClipSource(
        put_set(folder, [gray_clip(k, 20, first=k) for k in range(7)]), Bucket(4, 32, 48), [8, 12], CONDITIONING
    )


def batches(stream, num_workers, start=0, **kwargs):
    loader = DataLoader(
        stream, batch_sampler=Positions(start, 7, 3), collate_fn=collate, num_workers=num_workers, **kwargs
    )
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
    stream = Stream([source], seed=5)
    alone = batches(stream, 0)
    assert batches(stream, 2) == alone, "as one process"
    assert batches(Stream([source], seed=5), 0, start=3)[:4] == alone[3:], "as a run that begins later"
    failures = {failure for batch in alone for failure in batch[5]}
    assert [key for key, _ in failures] == [source.key(2)]
    assert all(reason.startswith("does not decode: ") for _, reason in failures)


def test_a_stream_can_be_sent_to_a_worker(tmp_path):
    stream = Stream([clips(tmp_path)], seed=5)
    item, size = stream[4], len(pickle.dumps(stream))
    copy = pickle.loads(pickle.dumps(stream))
    assert torch.equal(copy[4].example.frames, item.example.frames) and copy[4].seed == item.seed
    assert size < 100_000
