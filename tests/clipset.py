"""Small shard sets of real clips: frame k of a gray clip is told by its luma (`footage.number_of`)."""

import io
from fractions import Fraction
from pathlib import Path
from zlib import crc32

import numpy as np
import pyarrow.parquet as pq
from footage import numbered_frame
from PIL import Image
from samples import make_sample

from shards.encode import EncodeSettings, encode_frames
from shards.reader import ShardSet
from shards.sample import Sample
from shards.schema import INDEX, from_rows
from shards.store import write_table
from shards.writer import index_path, write_manifest, write_shard


def clip_of(number: int, frames: np.ndarray, fps: float = 24.0, **fields: object) -> Sample:
    """Sample `number` that shows these frames, uint8 (T, H, W, 3)."""
    video = encode_frames(frames, Fraction(fps), EncodeSettings(crf=8))
    height, width = frames.shape[1:3]
    facts = {"fps": fps, "num_frames": len(frames), "width": width, "height": height, "duration_s": len(frames) / fps}
    return make_sample(number, video, **(facts | fields))


def gray_clip(number: int, num_frames: int = 25, fps: float = 24.0, first: int = 0, **fields: object) -> Sample:
    """Sample `number`; its frames are `numbered_frame(first + k)`, 96 x 64 pixels."""
    return clip_of(number, np.stack([numbered_frame(first + k) for k in range(num_frames)]), fps, **fields)


def picture(number: int, **fields: object) -> Sample:
    """Sample `number` that holds a plain picture of 48 x 32 pixels, a PNG."""
    file = io.BytesIO()
    Image.new("RGB", (48, 32), (20 * number % 256, 0, 0)).save(file, "PNG")
    facts = {"fps": None, "num_frames": 1, "width": 48, "height": 32, "scores": {}, "motion_bucket": None}
    meta = make_sample(number, **(facts | fields)).meta
    return Sample(meta["key"], file.getvalue(), meta, "png")


def put_set(folder: Path, samples: list[Sample], per_shard: int = 3) -> ShardSet:
    """Writes the samples as shards of a few and opens them."""
    for shard, first in enumerate(range(0, len(samples), per_shard)):
        write_shard(folder / f"{shard:05d}.tar", samples[first : first + per_shard])
    write_manifest(folder, "c0ffee")
    return ShardSet(folder)


def overwrite(shards: ShardSet, i: int, data: bytes, at: int = 0) -> None:
    """Writes over the bytes of sample `i`'s video, in place, and tells the index: as if it had been packed so."""
    tar, key = shards._tar(i), shards.keys[i]
    assert isinstance(tar, Path)
    rows = pq.ParquetFile(index_path(tar)).read().to_pylist()
    (place,) = (m for row in rows if row["key"] == key for m in row["members"] if m["extension"] == "mp4")
    with tar.open("r+b") as file:
        file.seek(place["offset_bytes"] + at)
        file.write(data[: place["size_bytes"] - at])
        file.seek(place["offset_bytes"])
        place["crc32"] = crc32(file.read(place["size_bytes"]))
    write_table(index_path(tar), from_rows(rows, INDEX), INDEX)
    write_manifest(tar.parent, shards.manifest["config_hash"])
    shards.__dict__ |= ShardSet(shards.folder).__dict__
