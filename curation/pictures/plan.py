"""Which picture goes into which shard: the parts of the scan merged in the order of a hash, without holding them.

Equal bytes have equal hashes, so that copies meet in the merge and become one sample that has the words of all.
"""

import heapq
from collections import Counter
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path

import pyarrow.parquet as pq

from curation.pictures.config import PicturesConfig
from curation.pictures.scan import FOUND, ROWS_AT_ONCE, order_of, scanned
from curation.pictures.words import joined
from curation.set_files import SetFiles
from curation.sides import is_val
from shards.manifest import SPLITS, shard_name
from shards.parquet_options import parquet_options
from shards.places import Place
from shards.schema import PICTURE_FAILURES, from_rows
from shards.store import num_rows, parquet_file, scratch_folder, write_json, write_table

PARTS_AT_ONCE = 128  # files that are open side by side: a process may have few more than 200 on some systems


def write_plan(files: SetFiles, config: PicturesConfig, hashes: dict[str, str]) -> None:
    """Writes the rows of each shard and the copies that are left out, then `plan.json` with what was counted.

    Args:
        files: where the scan stands.
        config: how shards are cut and shuffled.
        hashes: go into `plan.json`.
    """
    shards = {split: _Shards(files, split, config) for split in SPLITS}
    parts = scanned(files)
    with scratch_folder(files.plan_list.parent, "merged") as scratch:
        in_order = _merged(_fewer(parts, config.seed, scratch), config.seed)
        for video_id, rows in groupby(in_order, key=lambda row: row["video_id"]):
            shards["val" if is_val(video_id, config.val_share) else "train"].add(list(rows))
    names = [name for split in SPLITS for name in shards[split].end()]
    reasons = _reasons([files.failures(path.stem) for path in parts])
    failed, copies = sum(reasons.values()), sum(shard.num_copies for shard in shards.values())
    packed = sum(shard.num_pictures for shard in shards.values())
    told = {
        "found": sum(map(num_rows, parts)) + failed,
        "copies": copies,
        "kept": packed + failed,
        "failed": failed,
        "failed_by": reasons,
    }
    write_json(files.plan_list, {**hashes, **told, "generations": [{"number": 0, "parts": names}]})


class _Shards:
    """Cuts the pictures of one split into shards; holds the rows of one."""

    def __init__(self, files: SetFiles, split: str, config: PicturesConfig) -> None:
        self._files, self._split, self._config = files, split, config
        self._rows: list[dict] = []
        self._copies: list[dict] = []
        self._size_bytes, self._names = 0, list[str]()
        self.num_pictures = self.num_copies = 0

    def add(self, rows: list[dict]) -> None:
        """Takes a picture: the rows of all its copies, the first listed first."""
        first, *others = rows
        is_full = self._size_bytes + first["size_bytes"] > self._config.shard_bytes
        if self._rows and (is_full or len(self._rows) >= self._config.samples_per_shard):
            self._write()
        captions, scores = joined([(row["captions"], dict(row["scores"])) for row in rows])
        self._rows.append(first | {"captions": captions, "scores": sorted(scores.items())})
        self._size_bytes += first["size_bytes"]
        error = f"a copy: it has the bytes of {first['path']}, whose sample has its captions too"
        self._copies += [{"path": row["path"], "video_id": row["video_id"], "error": error} for row in others]
        self.num_pictures, self.num_copies = self.num_pictures + 1, self.num_copies + len(others)

    def end(self) -> list[str]:
        """Writes what is left; gives the names of all shards."""
        if self._rows:
            self._write()
        return self._names

    def _write(self) -> None:
        name = f"{self._split}/{shard_name(0, len(self._names))}"
        write_table(self._files.failures(name), from_rows(self._copies, PICTURE_FAILURES), PICTURE_FAILURES)
        write_table(self._files.plan(name), from_rows(self._rows, FOUND), FOUND)
        self._names.append(name)
        self._rows, self._copies, self._size_bytes = [], [], 0


def _fewer(parts: list[Place], seed: int, scratch: Path) -> list[Place]:
    """Parts with the same rows, few enough to be open side by side: the first ones become one, until they are."""
    left = list(parts)
    while len(left) > PARTS_AT_ONCE:
        first, left = left[:PARTS_AT_ONCE], left[PARTS_AT_ONCE:]
        path, merged = scratch / f"{len(left)}.parquet", _merged(first, seed)
        with pq.ParquetWriter(path, FOUND, **parquet_options(FOUND)) as writer:
            while rows := list(islice(merged, 8 * ROWS_AT_ONCE)):
                writer.write_table(from_rows(rows, FOUND))
        left.append(path)
    return left


def _merged(parts: list[Place], seed: int) -> Iterator[dict]:
    """Rows of all parts in the order of the shards."""
    return heapq.merge(*map(_rows, parts), key=lambda row: order_of(seed, row))


def _rows(part: Place) -> Iterator[dict]:
    with parquet_file(part) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            yield from batch.to_pylist()


def _reasons(failures: list[Place]) -> dict[str, int]:
    """How often each reason is given, by its words before the colon, the most frequent first."""
    reasons: Counter[str] = Counter()
    for path in failures:
        with parquet_file(path) as file:
            reasons.update(error.split(": ")[0] for error in file.read(["error"])["error"].to_pylist())
    return dict(reasons.most_common())
