"""A small packed set, and ways to spoil it: what happens to files on disks, on their way, and by an enemy's hand."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
from clipset import gray_clip

from shards.reader import ShardSet
from shards.sample import Sample
from shards.schema import INDEX, from_rows
from shards.store import write_json, write_table
from shards.verify import verify
from shards.writer import write_manifest, write_shard

TRAIN = [gray_clip(number, 5) for number in range(6)]
KEYS = [sample.key for sample in TRAIN]
VAL = [gray_clip(number, 5) for number in range(100, 102)]


def pack(root: Path, train: list[Sample] = TRAIN, val: list[Sample] = VAL) -> Path:
    """Packs a set, three samples a shard."""
    for split, samples in (("train", train), ("val", val)):
        for number, first in enumerate(range(0, len(samples), 3)):
            write_shard(root / split / f"{number:05d}.tar", samples[first : first + 3])
        write_manifest(root / split, "c0ffee")
    sign(root)
    return root


def sign(root: Path) -> None:
    """Writes manifests that fit the files as they are now: an enemy can do that too."""
    counts = {split: write_manifest(root / split, "c0ffee")["num_samples"] for split in ("train", "val")}
    write_json(root / "manifest.json", {"config_hash": "c0ffee", "kept": sum(counts.values()), "failed": 0, **counts})


def place_of(tar: Path, number: int, extension: str) -> dict:
    """The row of `schema.MEMBER` of sample `number` of a shard."""
    members = pq.ParquetFile(tar.with_suffix(".parquet")).read()["members"][number].as_py()
    return next(member for member in members if member["extension"] == extension)


def flip(path: Path, at: int, bits: int = 1) -> None:
    """Flips bits of one byte."""
    data = bytearray(path.read_bytes())
    data[at] ^= bits
    path.write_bytes(data)


def change_index(tar: Path, number: int, **fields: object) -> None:
    """Changes fields of one row of a shard's index."""
    index = tar.with_suffix(".parquet")
    rows = pq.ParquetFile(index).read().to_pylist()
    rows[number] |= fields
    write_table(index, from_rows(rows, INDEX), INDEX)


def change_header(tar: Path, number: int, **fields: object) -> None:
    """Changes the header of the tar's member `number`, in place."""
    data = bytearray(tar.read_bytes())
    with tarfile.open(tar) as members:
        header = members.getmembers()[number]
    at = header.offset_data - 512
    for name, value in fields.items():
        setattr(header, name, value)
    data[at : at + 512] = header.tobuf(tarfile.USTAR_FORMAT)[:512]
    tar.write_bytes(data)


def change_manifest(path: Path, **fields: object) -> None:
    """Changes fields of a manifest."""
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def sha256(path: Path) -> str:
    """Of a file."""
    return hashlib.file_digest(io.BytesIO(path.read_bytes()), "sha256").hexdigest()


def faults(root, decode="first"):
    """What `verify` finds, by name: key, member, reason."""
    found = {checked.name: checked.problem for checked in verify(root, decode)}
    return {name: (problem.key, problem.member, problem.reason) for name, problem in found.items() if problem}


def only_fault(root, decode="first"):
    """The one thing that `verify` finds: name, key, member, reason."""
    found = faults(root, decode)
    assert len(found) == 1, found
    ((name, fault),) = found.items()
    return (name, *fault)


def read_all(root):
    """Samples of the train split by key, and the reasons of those that cannot be read."""
    shards, samples, skipped = ShardSet(root / "train"), {}, {}
    for i, key in enumerate(shards.keys):
        try:
            samples[key] = shards.read(i)
        except ValueError as error:
            skipped[key] = str(error)
    return samples, skipped
