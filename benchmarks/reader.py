"""How fast samples are read, against plain webdataset and a bare read of the files. `make bench NAME=reader`.

Makes a set of small random payloads, in shards whose samples come from all videos, as `pack` writes them. Then, in
turns and over a whole epoch each, opening included: our reader (shuffled, resumable, bytes checked, JSON parsed),
webdataset's with shuffle(1000) and its JSON parsed, both in batches, and the tars read from end to end. The best of
some rounds counts, since others may use the machine. Then the time from nothing to the first batch at 90 % of an epoch
over that at 0 %; how often neighbours in the order come from one video, against chance, here and in a packed set; and
memory over many samples (`reader_memory.py`). All is in the page cache. litdata and mosaicml-streaming read the same
bytes, in their own formats, where they are installed (`reader_peers.py`): for information.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import mean, median

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.reader_memory import measure_memory
from benchmarks.reader_peers import installed_peers, with_webdataset
from shards.loader import Loader
from shards.order import Order, neighbour_share
from shards.reader import ShardSet
from shards.writer import write_manifest, write_shard

WEBDATASET_FLOOR = 1.0
RESUME_CEILING = 1.2
NEIGHBOURS_CEILING = 1.5  # of chance; some dozen pairs an epoch, so one epoch's ratio strays by a quarter
MEMORY_CEILING = 1.05
BATCH, CHUNK_BYTES = 8, 2**20
PER_SHARD, PER_VIDEO = 500, 20
WORKERS = (0, 2)
PACKED = ROOT / "data/demo/corpus/shards/pretrain"


def make_set(folder: Path, number: int, kilobytes: tuple[int, int]) -> None:
    """Writes shards of random payloads, the samples of a video spread over all of them."""
    from samples import make_sample  # pyright: ignore[reportMissingImports]

    rng = np.random.default_rng(0)
    videos = rng.permutation(number) // PER_VIDEO
    for shard, first in enumerate(range(0, number, PER_SHARD)):
        numbers = range(first, min(first + PER_SHARD, number))
        sizes = rng.integers(1000 * kilobytes[0], 1000 * kilobytes[1], len(numbers)).tolist()
        samples = (
            make_sample(k, rng.bytes(size), video_id=f"{videos[k]:020x}")
            for k, size in zip(numbers, sizes, strict=True)
        )
        write_shard(folder / f"{shard:05d}.tar", samples)
    write_manifest(folder, "none")


def order_of(shards: ShardSet, seed: int = 0) -> Order:
    """The order of a set of one bucket."""
    return Order(shards.shard_sizes, np.zeros(len(shards), np.int8), [BATCH], seed)


def ours(folder: Path, workers: int) -> int:
    """Reads an epoch; samples read."""
    shards = ShardSet(folder)
    order = order_of(shards)
    batches = Loader([(shards, order)], workers=workers).batches()
    return sum(len(batch.samples) for batch in islice(batches, order.batches_before(1)))


def sequential(folder: Path) -> int:
    """Reads all tars from end to end; samples in them."""
    for path in sorted(folder.glob("*.tar")):
        with path.open("rb", buffering=0) as file:
            while file.read(CHUNK_BYTES):
                pass
    return json.loads((folder / "manifest.json").read_text())["num_samples"]


def rates(sides: dict[str, Callable[[], int]], number: int, rounds: int) -> dict[str, float]:
    """Samples a second of each side, the best of rounds in which all take their turn."""
    best = dict.fromkeys(sides, 0.0)
    for _ in range(rounds):
        for name, read in sides.items():
            start = time.perf_counter()
            done = read()
            best[name] = max(best[name], done / (time.perf_counter() - start))
            if number - done >= BATCH:  # what fills no batch is carried into the next epoch
                raise SystemExit(f"{name} gave {done} of {number} samples")
    return best


def seconds_to_first_batch(folder: Path, share: float) -> float:
    """From opening the set to the first batch, at a share of the second epoch."""
    start = time.perf_counter()
    shards = ShardSet(folder)
    order = order_of(shards)
    first, end = order.batches_before(1), order.batches_before(2)
    next(Loader([(shards, order)]).batches(first + int(share * (end - first))))
    return time.perf_counter() - start


def resume_ratio(folder: Path, rounds: int = 15) -> float:
    """The median time at 90 % of an epoch over that at its begin, measured in turns."""
    times = [[seconds_to_first_batch(folder, share) for share in (0.0, 0.9)] for _ in range(rounds + 1)][1:]
    return median(late for _, late in times) / median(early for early, _ in times)


def neighbours_over_chance(folder: Path, epochs: int = 10) -> float:
    """How often neighbours come from one video, over how often they would by chance; the mean of some epochs."""
    shards = ShardSet(folder)
    videos, order = shards.index["video_id"].to_numpy(), order_of(shards)
    shares = [neighbour_share(videos[order.reading(epoch)]) for epoch in range(epochs)]
    return mean(share for share, _ in shares) / shares[0][1]


def speed(folder: Path, scratch: Path, number: int, rounds: int) -> dict[str, float]:
    """Samples a second of all sides, and ours over those of the others."""
    peers, versions = installed_peers(folder, scratch)
    sides: dict[str, Callable[[], int]] = {"sequential": partial(sequential, folder)}
    for workers in WORKERS:
        sides[f"ours_{workers}"] = partial(ours, folder, workers)
        sides[f"webdataset_{workers}"] = partial(with_webdataset, folder, workers, BATCH)
        sides |= {f"{name}_{workers}": partial(read, workers, BATCH) for name, read in peers.items()}
    for name, found in versions.items():
        print(f"{name}: {found}")
    found = rates(sides, number, rounds)
    figures = {f"samples_a_second_{name}": round(rate, 1) for name, rate in found.items()}
    for workers in WORKERS:
        rate = found[f"ours_{workers}"]
        figures[f"over_sequential_{workers}_workers"] = round(rate / found["sequential"], 2)
        for name in ("webdataset", *peers):
            figures[f"over_{name}_{workers}_workers"] = round(rate / found[f"{name}_{workers}"], 2)
    return figures


def measure(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """All figures of a set, which other files may lie beside."""
    figures = speed(folder, folder.parent, options.samples, options.rounds)
    figures["first_batch_at_90_over_0"] = round(resume_ratio(folder), 2)
    figures["neighbours_of_one_video_over_chance"] = round(neighbours_over_chance(folder), 2)
    if options.packed.is_dir():
        ratio = neighbours_over_chance(options.packed / "train", epochs=200)
        figures["neighbours_of_one_video_over_chance_packed"] = round(ratio, 2)
    else:
        print(f"no packed set in {options.packed}: `make curate` makes one")
    if options.memory_samples:
        figures |= measure_memory(folder, folder.parent, options.samples, options.memory_samples)
    return figures


def main() -> int:
    """Prints one line of JSON; exits 1 below a floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000, help="in the set")
    parser.add_argument("--kilobytes", type=int, nargs=2, default=[50, 100], help="least and most of a payload")
    parser.add_argument("--rounds", type=int, default=3, help="each side is measured so often")
    parser.add_argument("--packed", type=Path, default=PACKED, help="a packed set whose order is looked at too")
    parser.add_argument("--memory-samples", type=int, default=100_000, help="read while memory is watched; 0 for none")
    parser.add_argument("--folder", help="where the set is made; a temporary folder by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        folder = Path(scratch) / "set"
        make_set(folder, options.samples, tuple(options.kilobytes))
        figures = measure(folder, options)
    floors = {f"over_webdataset_{workers}_workers": WEBDATASET_FLOOR for workers in WORKERS}
    ceilings = {
        "first_batch_at_90_over_0": RESUME_CEILING,
        "neighbours_of_one_video_over_chance": NEIGHBOURS_CEILING,
        "neighbours_of_one_video_over_chance_packed": NEIGHBOURS_CEILING,
        "memory_growth_loader": MEMORY_CEILING,
        "memory_growth_trainer": MEMORY_CEILING,
    }
    ceilings = {name: ceiling for name, ceiling in ceilings.items() if name in figures}
    ok = all(figures[name] >= floor for name, floor in floors.items())
    ok &= all(figures[name] <= ceiling for name, ceiling in ceilings.items())
    print(json.dumps({"name": "reader", "figures": figures, "floors": floors | ceilings, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
