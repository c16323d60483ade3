"""Other readers of shuffled samples, for `reader.py`: each reads an epoch of the same bytes, in its own format.

webdataset reads the shards themselves. litdata and mosaicml-streaming are no dependencies of the project; they are
measured where they are installed. JSON is parsed, and batches are lists, by all of them.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any

from shards.reader import ShardSet

CHUNK_BYTES = 2**26
Read = Callable[[Path, int, int], int]
"""Reads an epoch of a folder with some workers, in batches of so many; gives the samples read."""


def parsed(sample: dict) -> dict:
    """A sample with its JSON parsed."""
    return sample | {"json": json.loads(sample["json"])}


def in_batches(samples: Iterable[dict], size: int) -> Iterator[list[dict]]:
    """Lists of samples; the last may be shorter."""
    samples = iter(samples)
    return iter(lambda: list(islice(samples, size)), [])


def with_webdataset(folder: Path, workers: int, batch: int) -> int:
    """By plain webdataset with shuffle(1000), with worker processes by torch's loader."""
    import torch
    from webdataset.compat import WebDataset

    tars = sorted(str(path) for path in folder.glob("*.tar"))
    batches = (
        WebDataset(tars, shardshuffle=100, seed=0).shuffle(1000).map(parsed).compose(partial(in_batches, size=batch))
    )
    if workers:
        batches = torch.utils.data.DataLoader(batches, batch_size=None, num_workers=workers)
    return sum(len(batch) for batch in batches)


def members(folder: Path) -> Iterator[dict[str, bytes]]:
    """The members of every sample of a shard set."""
    shards = ShardSet(folder)
    return (shards.read(i).members() for i in range(len(shards)))


def write_litdata(folder: Path, out: Path) -> None:
    """The samples as chunks of litdata."""
    from litdata.streaming import Cache  # pyright: ignore[reportMissingImports]

    cache = Cache(str(out), chunk_bytes=CHUNK_BYTES)
    for number, sample in enumerate(members(folder)):
        cache[number] = sample
    cache.done()
    cache.merge()


def with_litdata(folder: Path, workers: int, batch: int) -> int:
    """By litdata's dataset and loader."""
    from litdata import StreamingDataLoader, StreamingDataset  # pyright: ignore[reportMissingImports]

    samples = StreamingDataset(str(folder), shuffle=True, seed=0)
    batches = StreamingDataLoader(samples, batch_size=batch, num_workers=workers, collate_fn=_parsed_list)
    return sum(len(batch) for batch in batches)


def write_streaming(folder: Path, out: Path) -> None:
    """The samples as shards of mosaicml-streaming (MDS)."""
    from streaming import MDSWriter  # pyright: ignore[reportMissingImports]

    columns = {"json": "bytes", "mp4": "bytes", "txt": "bytes"}
    with MDSWriter(out=str(out), columns=columns, size_limit=CHUNK_BYTES) as writer:
        for sample in members(folder):
            writer.write(sample)


def with_streaming(folder: Path, workers: int, batch: int) -> int:
    """By mosaicml-streaming's dataset and torch's loader."""
    import torch
    from streaming import StreamingDataset  # pyright: ignore[reportMissingImports]
    from streaming.base.util import clean_stale_shared_memory  # pyright: ignore[reportMissingImports]

    clean_stale_shared_memory()
    samples: Any = StreamingDataset(local=str(folder), shuffle=True, shuffle_seed=0, batch_size=batch)
    batches = torch.utils.data.DataLoader(samples, batch_size=batch, num_workers=workers, collate_fn=_parsed_list)
    return sum(len(batch) for batch in batches)


def _parsed_list(samples: list[dict]) -> list[dict]:
    return [parsed(sample) for sample in samples]


PEERS: dict[str, tuple[str, Callable[[Path, Path], None], Read]] = {
    "litdata": ("litdata", write_litdata, with_litdata),
    "streaming": ("mosaicml-streaming", write_streaming, with_streaming),
}


def installed_peers(folder: Path, scratch: Path) -> tuple[dict[str, Callable[[int, int], int]], dict[str, str]]:
    """Peers that are installed, the samples written in their formats.

    Args:
        folder: of a shard set.
        scratch: where to write to.

    Returns:
        By name, what reads an epoch with some workers, in batches of so many; the version of each peer, or "absent".
    """
    reads, versions = {}, {}
    for name, (package, write, read) in PEERS.items():
        try:
            versions[name] = version(package)
        except PackageNotFoundError:
            versions[name] = "absent"
            continue
        shutil.rmtree(scratch / name, ignore_errors=True)
        write(folder, scratch / name)
        reads[name] = partial(read, scratch / name)
    return reads, versions
