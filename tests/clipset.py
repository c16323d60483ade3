"""Small shard sets of real clips: frame k of a gray clip is told by its luma (`footage.number_of`)."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from footage import numbered_frame
from samples import make_sample

from shards.encode import EncodeSettings, encode_frames
from shards.reader import ShardSet
from shards.sample import Sample
from shards.writer import write_manifest, write_shard


def clip_of(number: int, frames: np.ndarray, fps: float = 24.0, **fields: object) -> Sample:
    """Sample `number` that shows these frames, uint8 (T, H, W, 3)."""
    video = encode_frames(frames, Fraction(fps), EncodeSettings(crf=8))
    height, width = frames.shape[1:3]
    facts = {"fps": fps, "num_frames": len(frames), "width": width, "height": height, "duration_s": len(frames) / fps}
    return make_sample(number, video, **(facts | fields))


def gray_clip(number: int, num_frames: int = 25, fps: float = 24.0, first: int = 0, **fields: object) -> Sample:
    """Sample `number`; its frames are `numbered_frame(first + k)`, 96 x 64 pixels."""
    return clip_of(number, np.stack([numbered_frame(first + k) for k in range(num_frames)]), fps, **fields)


def put_set(folder: Path, samples: list[Sample], per_shard: int = 3) -> ShardSet:
    """Writes the samples as shards of a few and opens them."""
    for shard, first in enumerate(range(0, len(samples), per_shard)):
        write_shard(folder / f"{shard:05d}.tar", samples[first : first + per_shard])
    write_manifest(folder, "c0ffee")
    return ShardSet(folder)


def overwrite(shards: ShardSet, i: int, data: bytes, at: int = 0) -> None:
    """Writes over the bytes of sample `i`'s video, in place."""
    (place,) = (m for m in shards.index["members"][i].as_py() if m["extension"] == "mp4")
    with shards._tar(i).open("r+b") as file:
        file.seek(place["offset_bytes"] + at)
        file.write(data[: place["size_bytes"] - at])
