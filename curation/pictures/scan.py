"""Looks at every picture once and writes what it found, part by part; a part that stands is not looked at again."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from queue import SimpleQueue

import pyarrow as pa
import pyarrow.parquet as pq

from curation.child import Child
from curation.pack_plan import shuffle_key
from curation.pictures.config import PicturesConfig
from curation.pictures.entry import Entry
from curation.pictures.listing import Listing
from curation.pictures.look import Seen, look_at
from curation.set_files import SetFiles
from curation.tables import part_name
from shards.parquet_options import parquet_options
from shards.places import Place, reaching
from shards.schema import PICTURE_FAILURES, SAMPLE, conform, field, from_rows
from shards.store import atomic_path, num_rows, write_table

OF_SAMPLE = ("video_id", "path", "captions", "scores", "width", "height")
FOUND = pa.schema(
    [
        *(SAMPLE.field(name) for name in OF_SAMPLE),
        field("position", pa.int64(), "place of the picture in the listing, from 0"),
        field("extension", pa.string(), "jpg, png or webp, by its bytes"),
        field("file", pa.string(), "the file that holds it"),
        field("offset_bytes", pa.int64(), "where in the file it begins", "bytes"),
        field("size_bytes", pa.int64(), "its length", "bytes"),
    ]
)
ROWS_AT_ONCE = 128  # of each part, while all parts are read side by side


def scan(files: SetFiles, listing: Listing, config: PicturesConfig, told: Callable[[int], None]) -> None:
    """Writes the parts that are missing.

    Args:
        files: where they go; those that cannot be packed go to the failures.
        listing: as it was when the parts that stand were written.
        config: how pictures are read.
        told: called after each part, with the number of pictures looked at so far.

    Raises:
        ValueError: the table of pictures cannot be read.
        OSError: the disk or the network fails, or a picture is gone that was listed.
    """
    standing = scanned(files)
    position = sum(num_rows(path) + num_rows(files.failures(path.stem)) for path in standing)
    entries = islice(listing.entries(), position, None)
    with _readers(config) as look:
        for number in range(len(standing), 10**9):
            some = list(islice(entries, config.part_max_pictures))
            if not some:
                return
            _write_part(
                files, number, config.seed, zip(range(position, position + len(some)), some, look(some), strict=True)
            )
            position += len(some)
            told(position)


def scanned(files: SetFiles) -> list[Place]:
    """The parts that stand, of `FOUND`, each in the order of the shards."""
    folder = files.plan_list.parent
    with reaching(folder):
        return sorted(folder.glob("part-*.parquet"))


def order_of(seed: int, row: dict) -> tuple[bytes, int]:
    """Rows sorted by it are shuffled; equal bytes stand together, the first listed first."""
    return shuffle_key(seed, row["video_id"]), row["position"]


def _write_part(files: SetFiles, number: int, seed: int, looked: Iterator[tuple[int, Entry, Seen | str]]) -> None:
    rows, failures = [], []
    for position, entry, seen in looked:
        if isinstance(seen, str):
            failures.append({"path": entry.path, "video_id": None, "error": seen})
        else:
            rows.append(_row(position, entry, seen))
    rows.sort(key=lambda row: order_of(seed, row))
    part = part_name(number)
    write_table(files.failures(part), from_rows(failures, PICTURE_FAILURES), PICTURE_FAILURES)
    with atomic_path(files.plan(part)) as temporary:  # last, so that it tells that its failures stand too
        table = conform(from_rows(rows, FOUND), FOUND)
        pq.write_table(table, temporary, row_group_size=8 * ROWS_AT_ONCE, **parquet_options(FOUND))


def _row(position: int, entry: Entry, seen: Seen) -> dict:
    captions, scores = seen.words
    told = {"path": entry.path, "captions": captions, "scores": sorted(scores.items()), "position": position}
    where = {"file": entry.picture.file, "offset_bytes": entry.picture.offset_bytes, "size_bytes": seen.size_bytes}
    return {"video_id": seen.video_id, **vars(seen.info), **told, **where}


@contextmanager
def _readers(config: PicturesConfig) -> Iterator[Callable[[list[Entry]], Iterator[Seen | str]]]:
    """Looks at pictures in several processes; what was seen comes in their order."""
    free: SimpleQueue[Child] = SimpleQueue()
    children = [Child(config.wall_s, attempts=2, memory_bytes=config.memory_bytes) for _ in range(config.workers)]
    for child in children:
        free.put(child)

    def look(entry: Entry) -> Seen | str:
        child = free.get()
        try:
            return look_at(entry, child, config.max_picture_bytes)
        finally:
            free.put(child)

    pool = ThreadPoolExecutor(config.workers)
    try:
        yield lambda some: pool.map(look, some)
    finally:
        pool.shutdown(cancel_futures=True)
        for child in children:
            child.close()
