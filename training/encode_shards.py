"""Shards of videos to shards of latents: decodes, encodes, writes, and keeps count of what is skipped."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import save
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from shards.manifest import SPLITS
from shards.reader import ShardSet
from shards.sample import LATENTS, Sample
from shards.schema import from_rows
from shards.store import write_table
from shards.writer import index_path, write_shard
from training.bucket import Bucket
from training.caption_draw import texts_of
from training.clips import window
from training.codec import LatentCodec
from training.conditioning import NONE
from training.data import StageData
from training.decode import all_shown, shown
from training.latents import fixed_start
from training.rates import Rates
from training.sample_plan import SKIPPED, Needs, Plan, plan_samples
from training.text import TextEncoder

FRAMES_AT_ONCE = 16
"""Fixed, whatever the codec's own batch: the last bits of a frame can depend on how many are encoded with it."""


class ShardEncoder:
    """The frozen parts, and what they are to make."""

    def __init__(
        self,
        codec: LatentCodec,
        text: TextEncoder,
        data: StageData,
        num_windows: int,
        dtype: str,
        device: torch.device,
    ) -> None:
        """Takes the parts.

        Args:
            codec: loaded.
            text: loaded.
            data: its buckets, rates and number of workers count.
            num_windows: of each clip and rate, for a codec that does not encode each frame by itself.
            dtype: of what is written, a name of torch's.
            device: where frames go.
        """
        self._codec, self._text, self._data = codec, text, data
        self._device, self._dtype = device, getattr(torch, dtype)
        bucket = data.latent_bucket
        every = Bucket(1, bucket.height, bucket.width)
        self._bucket = every if codec.frame_by_frame else bucket
        windows = _Windows(bucket, data.rates, num_windows)
        self._seen = _EveryFrame(every) if codec.frame_by_frame else windows

    def encode(self, split: str, shards: ShardSet, folder: Path) -> Iterator[str]:
        """Writes the shards of a split that do not stand yet; a line for each.

        Args:
            split: its name.
            shards: of the packed set.
            folder: of the latent set; what is skipped goes to `skipped/<split>/<shard>.parquet`.

        Raises:
            ValueError: no sample to train on can be used; a number does not fit the type.
            OSError: the disk fails.
        """
        usable, reasons = self._plan(split, shards)
        start = 0
        for shard, size in zip(shards.manifest["shards"], shards.shard_sizes.tolist(), strict=True):
            numbers, start = range(start, start + size), start + size
            name = f"{split}/{shard['name']}"
            tar, skipped = folder / f"{name}.tar", {i: reasons[i] for i in numbers if i in reasons}
            if index_path(tar).exists():
                continue
            wanted = [i for i in numbers if i in usable]
            index = write_shard(tar, self._samples(shards, wanted, skipped, _skipped_path(folder, name)))
            yield f"{name}: {len(index)} samples encoded, {len(skipped)} skipped"

    def _plan(self, split: str, shards: ShardSet) -> tuple[set[int], dict[int, tuple[str, str, str]]]:
        """Numbers of the samples that can be encoded; key, reason and detail of each other one."""
        try:
            plan = plan_samples(shards.index, [self._bucket], self._data.rates, Needs(NONE), str(shards.folder))
        except ValueError as error:
            if split == SPLITS[0] and len(shards):  # a set that only judges has nothing to train on
                raise
            plan = _nothing(shards.index, str(error))
        others = sorted(set(range(len(shards))) - set(plan.usable.tolist()))
        rows = (tuple(row.values()) for row in plan.skipped.to_pylist())
        return set(plan.usable.tolist()), dict(zip(others, rows, strict=True))

    def _samples(
        self, shards: ShardSet, numbers: list[int], skipped: dict[int, tuple[str, str, str]], path: Path
    ) -> Iterator[Sample]:
        """Samples in their order; adds to `skipped` what does not decode, and in the end writes that to `path`."""
        clips = _Clips(shards, self._seen)
        as_it_is: Any = _as_it_is
        read = DataLoader(clips, None, sampler=numbers, num_workers=self._data.workers, collate_fn=as_it_is)
        for number, clip in zip(numbers, read, strict=True):
            if isinstance(clip, str):
                reason, _, detail = clip.partition(": ")
                skipped[number] = shards.keys[number], reason, detail
            else:
                yield self._encoded(*clip)
        rows = [dict(zip(SKIPPED.names, skipped[number], strict=True)) for number in sorted(skipped)]
        write_table(path, from_rows(rows, SKIPPED), SKIPPED)

    def _encoded(self, meta: dict[str, Any], frames: Tensor, times: dict[str, Tensor]) -> Sample:
        whole = self._codec.encode if frames.dim() == 5 else self._by_frame
        at_once = 1 if frames.dim() == 5 else FRAMES_AT_ONCE
        latents = torch.cat([whole(some.to(self._device)).cpu() for some in frames.split(at_once)])
        texts = texts_of(meta)
        features = self._text.encode(texts) if texts else self._text.encode([""])[:0]  # (K, L, D)
        tensors = {"latents": self._kept(latents, meta["key"]), "text": self._kept(features.cpu(), meta["key"])}
        return Sample(meta["key"], save(tensors | times), meta, LATENTS)

    def _by_frame(self, frames: Tensor) -> Tensor:
        return self._codec.encode(frames[None])[0]

    def _kept(self, numbers: Tensor, key: str) -> Tensor:
        kept = numbers.to(self._dtype).contiguous()
        if not kept.isfinite().all():
            raise ValueError(f"sample {key}: what its encoders give does not fit {self._dtype}; try --dtype bfloat16")
        return kept


Clip = tuple[dict[str, Any], Tensor, dict[str, Tensor]]
"""The fields of a sample, its frames, and the tensors that tell when they are shown."""


@dataclass(frozen=True)
class _Clips(Dataset[Clip | str]):
    """Samples of a set, decoded; a reason in place of one that cannot be."""

    shards: ShardSet
    seen: Callable[[Sample], tuple[Tensor, dict[str, Tensor]]]

    def __getitem__(self, number: int) -> Clip | str:
        try:
            sample = self.shards.read(number)
        except ValueError as error:
            return f"is not in its shard: {error}"
        try:
            return sample.meta, *self.seen(sample)
        except ValueError as error:
            return str(error)


@dataclass(frozen=True)
class _EveryFrame:
    """Frames uint8 (N, H, W, 3), for a codec that encodes each by itself."""

    bucket: Bucket

    def __call__(self, sample: Sample) -> tuple[Tensor, dict[str, Tensor]]:
        frames, pts, second = all_shown(sample, self.bucket)
        return torch.from_numpy(frames), {"pts": torch.from_numpy(pts), "second": torch.tensor([second]).double()}


@dataclass(frozen=True)
class _Windows:
    """Frames uint8 (W, T, H, W, 3) of fixed windows: `num_windows` of each rate that fits, in the order of rates."""

    bucket: Bucket
    rates: Rates
    num_windows: int

    def __call__(self, sample: Sample) -> tuple[Tensor, dict[str, Tensor]]:
        num_rates = 1 if self.bucket.is_image else len(self.rates.fitting(self.bucket.num_frames, sample.meta))
        windows = [
            window(self.bucket, self.rates, sample.meta, (rate + 0.5) / num_rates, fixed_start(k, self.num_windows))
            for rate in range(num_rates)
            for k in range(self.num_windows)
        ]
        frames = [shown(sample, times, self.bucket) for _, times in windows]
        fps, start_s = ([each[k] for each in ((fps, times[0]) for fps, times in windows)] for k in (0, 1))
        times = {"fps": torch.tensor(fps).double(), "start_s": torch.tensor(start_s).double()}
        return torch.from_numpy(np.stack(frames)), times


def _as_it_is(clip: Clip | str) -> Clip | str:
    return clip


def _nothing(index: pa.Table, reason: str) -> Plan:
    keys = index["key"].to_pylist()
    table = pa.table([keys, ["nothing of its split is usable"] * len(keys), [reason] * len(keys)], schema=SKIPPED)
    return Plan(np.zeros(0, np.int64), table, np.zeros(0, np.int64))


def _skipped_path(folder: Path, name: str) -> Path:
    return folder / "skipped" / f"{name}.parquet"
