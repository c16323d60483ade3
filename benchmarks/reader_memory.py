"""Resident memory of our readers over many samples, for `reader.py`: `Loader`, and the trainer's own path.

The trainer's path is torch's DataLoader over `training.stream.Stream`: worker processes that read, decode and collate.
Each is measured in a process of its own. What counts is the memory of it and of its workers over the last tenth of the
samples, over that after the first tenth: caches are full by then.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from statistics import mean

import numpy as np

from shards.loader import Loader
from shards.order import Order
from shards.reader import ShardSet
from shards.writer import write_manifest, write_shard

BATCH, WORKERS = 8, 2
PER_SHARD, DISTINCT, NUM_FRAMES = 500, 20, 5
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def make_clips(folder: Path, number: int) -> None:
    """Writes a set of real clips of 5 frames of 96x64 pixels, some of them over and over."""
    from clipset import gray_clip  # pyright: ignore[reportMissingImports]
    from samples import make_sample  # pyright: ignore[reportMissingImports]

    clips = [gray_clip(k, NUM_FRAMES) for k in range(DISTINCT)]
    facts = {name: clips[0].meta[name] for name in ("fps", "num_frames", "duration_s", "width", "height")}
    for shard, first in enumerate(range(0, number, PER_SHARD)):
        numbers = range(first, min(first + PER_SHARD, number))
        samples = (make_sample(k, clips[k % DISTINCT].content, **facts) for k in numbers)
        write_shard(folder / f"{shard:05d}.tar", samples)
    write_manifest(folder, "none")


def with_loader(folder: Path) -> Iterator[int]:
    """Samples of each batch of `Loader`, without end."""
    shards = ShardSet(folder)
    order = Order(shards.shard_sizes, np.zeros(len(shards), np.int8), [BATCH], seed=0)
    return (len(batch.samples) for batch in Loader([(shards, order)], workers=WORKERS).batches())


def with_trainer(folder: Path) -> Iterator[int]:
    """Samples of each batch as the trainer reads them, frames decoded."""
    from torch.utils.data import DataLoader

    from training.bucket import Bucket
    from training.clips import ClipSource
    from training.conditioning import Conditioning
    from training.rates import Rates
    from training.stream import Positions, Stream

    source = ClipSource(ShardSet(folder), [Bucket(NUM_FRAMES, 64, 96)], Rates([24.0]), Conditioning())
    positions = Positions(start=0, num_batches=10**9, rank=0, world_size=1)
    stream = Stream([source], [BATCH], seed=0)
    loader = DataLoader(stream, batch_size=None, sampler=positions, num_workers=WORKERS, collate_fn=_as_it_is)
    return (len(batch) for batch in loader)


def _as_it_is(batch: object) -> object:
    return batch


def resident_bytes() -> int:
    """Of this process and those that it has started."""
    pids = [os.getpid(), *(child.pid for child in multiprocessing.active_children())]
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES for pid in pids)


def memory_growth(read: Callable[[Path], Iterator[int]], folder: Path, number: int) -> tuple[float, float]:
    """Reads so many samples.

    Returns:
        Resident memory in the last tenth over that in the second; the former in MB.
    """
    found: list[int] = []
    batches = read(folder)
    for _ in range(100):
        done = sum(islice(batches, number // (100 * BATCH)))
        if done < number // 100 - BATCH:
            raise SystemExit(f"the reader ended early: {done} samples")
        found.append(resident_bytes())
    return mean(found[90:]) / mean(found[10:20]), mean(found[90:]) / 1e6


def measure_memory(payloads: Path, scratch: Path, set_size: int, number: int) -> dict[str, float]:
    """Growth of both readers over `number` samples.

    Args:
        payloads: a set of large samples, for `Loader`.
        scratch: where to write a set of clips to, for the trainer's path.
        set_size: clips of that set.
        number: samples to read.
    """
    make_clips(scratch / "clips", set_size)
    sides = {"loader": (with_loader, payloads), "trainer": (with_trainer, scratch / "clips")}
    figures = {}
    for name, (read, folder) in sides.items():
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            growth, megabytes = alone.submit(memory_growth, read, folder, number).result()
        figures |= {f"memory_growth_{name}": round(growth, 3), f"memory_mb_{name}": round(megabytes, 1)}
    return figures
