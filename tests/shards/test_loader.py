import os
import subprocess
import sys
import threading
import tracemalloc
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from samples import make_sample

from shards.loader import Loader
from shards.mixture import Mixture
from shards.order import Order
from shards.reader import ShardSet
from shards.writer import write_manifest, write_shard

ROOT = str(Path(__file__).resolve().parents[2])


def put(folder, numbers, per_shard=4):
    for shard, first in enumerate(range(0, len(numbers), per_shard)):
        write_shard(folder / f"{shard:05d}.tar", [make_sample(k) for k in numbers[first : first + per_shard]])
    write_manifest(folder, "c0ffee")
    return ShardSet(folder)


def order(shards, batch_size=3, **settings):
    buckets = np.arange(len(shards)) % 2
    return Order(shards.shard_sizes, buckets, [batch_size, 2], **({"seed": 1} | settings))


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    sets = [put(folder / "a", range(13)), put(folder / "b", range(20, 27))]
    return [(shards, order(shards, seed=seed)) for seed, shards in enumerate(sets)]


def told(batches):
    return [(batch.position, batch.source, [sample.key for sample in batch.samples]) for batch in batches]


def cut(shards, *numbers):
    """Empties the json of some samples."""
    for i in numbers:
        (place,) = (m for m in shards.index["members"][i].as_py() if m["extension"] == "json")
        with shards._tar(i).open("r+b") as file:
            file.seek(place["offset_bytes"])
            file.write(bytes(place["size_bytes"]))


def test_batches_hold_the_samples_of_the_order(sources):
    shards, its_order = sources[0]
    for position, batch in enumerate(islice(Loader(sources[:1]).batches(), 12)):
        assert batch.position == position and batch.source == 0 and batch.skipped == []
        assert batch.samples == [shards.read(i) for i in its_order[position].tolist()]


def test_the_mixture_says_which_set_gives_a_batch(sources):
    mixture = Mixture((2, 1), seed=4)
    for batch in islice(Loader(sources, mixture).batches(), 30):
        source, k = mixture.locate(batch.position)
        shards, its_order = sources[source]
        keys = [shards.keys[i] for i in its_order[k].tolist()]
        assert (batch.source, [sample.key for sample in batch.samples]) == (source, keys)


@pytest.mark.parametrize(("workers", "ahead"), [(1, 0), (2, 4), (5, 1)])
def test_batches_do_not_depend_on_the_workers(sources, workers, ahead):
    alone = told(islice(Loader(sources, Mixture((2, 3), 0)).batches(), 40))
    assert told(islice(Loader(sources, Mixture((2, 3), 0), workers=workers, ahead=ahead).batches(), 40)) == alone


def test_a_run_that_stops_and_goes_on_with_other_ranks_and_workers_sees_the_unbroken_one(sources):
    mixture = Mixture((2, 3), 0)
    unbroken = told(islice(Loader(sources, mixture).batches(), 30))
    found, done = [], 0
    for world_size, rounds, workers in ((2, 4, 1), (3, 5, 0), (1, 3, 2), (4, 1, 3)):
        for rank in range(world_size):
            loader = Loader(sources, mixture, workers=workers)
            found += told(islice(loader.batches(done, rank, world_size), rounds))
        done += world_size * rounds
    assert sorted(found) == unbroken[:done] and done == 30


RUN = """
import sys
from pathlib import Path
import numpy as np
from shards.loader import Loader
from shards.order import Order
from shards.reader import ShardSet

folder, start, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
shards = ShardSet(Path(folder))
order = Order(shards.shard_sizes, np.arange(len(shards)) % 2, [3, 2], seed=1)
for batch in Loader([(shards, order)], workers=workers).batches(start):
    print(batch.position, *(sample.key for sample in batch.samples), flush=True)
"""


def lines_of_a_killed_run(folder, start, workers, lines):
    """What a process prints that is killed after so many lines."""
    command = [sys.executable, "-c", RUN, str(folder), str(start), str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": ROOT}) as run:
        assert run.stdout
        found = [run.stdout.readline().split() for _ in range(lines)]
        run.kill()
    return found


def test_killed_processes_that_go_on_from_one_another_see_the_unbroken_run(sources):
    shards, _ = sources[0]
    alone = told(islice(Loader([(shards, order(shards))]).batches(), 21))
    found = []
    for lines, workers in ((5, 0), (9, 3), (7, 1)):
        found += lines_of_a_killed_run(shards.folder, len(found), workers, lines)
    assert found == [[str(position), *keys] for position, _, keys in alone]


def test_what_cannot_be_read_is_left_out_with_key_and_reason(tmp_path):
    shards = put(tmp_path, range(11))
    cut(shards, 2, 7)
    for workers in (0, 2):
        loader = Loader([(shards, order(shards))], workers=workers, max_skipped=2)
        epoch = list(islice(loader.batches(), order(shards).batches_before(1)))
        skipped = [skip for batch in epoch for skip in batch.skipped]
        assert {skip.key for skip in skipped} <= {shards.keys[2], shards.keys[7]} and skipped
        assert all("its json has other bytes" in skip.reason for skip in skipped)
        sizes = [len(batch.samples) + len(batch.skipped) for batch in epoch]
        assert sizes == [len(order(shards)[k]) for k in range(len(epoch))]
        assert loader.num_skipped == len(skipped)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_limit_stops_the_run(tmp_path, workers):
    shards = put(tmp_path, range(11))
    cut(shards, *range(11))
    loader = Loader([(shards, order(shards))], workers=workers, max_skipped=5)
    batches = loader.batches()
    first = next(batches)
    assert first.samples == [] and len(first.skipped) == len(order(shards)[0])
    last = rf"{shards.keys[0][:20]}-.*its json has other bytes"
    reason = rf"^\d samples could not be read, and 5 may be skipped; the last was {last}"
    with pytest.raises(ValueError, match=reason):
        list(batches)


def test_trouble_of_the_disk_is_no_fault_of_a_sample(tmp_path):
    shards = put(tmp_path, range(8))
    (tmp_path / "00001.tar").unlink()
    for workers in (0, 2):
        with pytest.raises(FileNotFoundError, match=r"00001\.tar"):
            list(islice(Loader([(shards, order(shards))], workers=workers).batches(), 8))


def test_no_more_is_read_than_a_bounded_stretch_ahead(sources):
    asked, lock, others = [], threading.Lock(), set(threading.enumerate())

    def read(shards, i):
        with lock:
            asked.append(i)
        return i

    batches = Loader(sources[:1], read=read, workers=2, ahead=3).batches()
    its_order = sources[0][1]
    for done in range(1, 20):
        batch = next(batches)
        assert batch.samples == its_order[done - 1].tolist(), "as `read` gives them"
        allowed = sum(len(its_order[k]) for k in range(done + 3))
        assert len(asked) <= allowed
    batches.close()
    assert set(threading.enumerate()) <= others


def test_memory_is_flat(tmp_path):
    """Once read ahead, a hundred times as many samples take no more."""
    shards = put(tmp_path, range(40))
    batches = Loader([(shards, order(shards))], workers=2).batches()
    list(islice(batches, 50))
    tracemalloc.start()
    for _ in range(30):
        next(batches)
    few = tracemalloc.get_traced_memory()[0]
    for _ in range(3000):
        next(batches)
    grown = tracemalloc.get_traced_memory()[0] - few
    tracemalloc.stop()
    assert grown < 100_000


def test_orders_and_mixtures_that_do_not_fit_are_refused(sources):
    with pytest.raises(ValueError, match="2 sets need a mixture of as many weights"):
        Loader(sources)
    with pytest.raises(ValueError, match="has 13 samples, its order has 7"):
        Loader([(sources[0][0], sources[1][1])])
