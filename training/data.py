"""The data of a stage as Lightning takes it: which samples, in which order, from which position on."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from shards.reader import ShardSet
from shards.writer import MANIFEST
from training.buckets import Bucket
from training.clips import ClipSource
from training.conditioning import Conditioning
from training.images import ImageSource
from training.latent_set import LATENTS, LatentSet, manifest_hash
from training.latents import LatentSource
from training.sources import Source
from training.stream import Batch, Positions, Stream, collate


class StageData(LightningDataModule):
    """Samples of one packed set, and for pictures also of a folder of images."""

    def __init__(
        self,
        shards: str,
        bucket: Bucket,
        set: str = "pretrain",
        images: str | None = None,
        latents: str | None = None,
        fps: tuple[float, ...] = (8.0,),
        batch_size: int = 8,
        num_held_out: int = 256,
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        """Reads nothing yet.

        Args:
            shards: folder of packed sets, as `make curate` writes it: OUT/shards.
            bucket: frames, height and width that the stage trains on.
            set: the packed set in it.
            images: folder of pictures with captions beside them (`<name>.txt`), for stages of single frames.
            latents: folder of latent sets that `python -m training encode` made of these packed sets; they are read in
                place of the videos. Of the packed set its manifests are still needed.
            fps: frames a second at which clips are read; a sample draws one of those that it is long enough for.
            batch_size: samples a step and device.
            num_held_out: at most so many samples of the set's `val` split make the held-out loss.
            workers: processes that read ahead; 0 reads in the training process.
            seed: of the order, of windows, captions and noise.
        """
        super().__init__()
        if not fps or min(fps) <= 0:
            raise ValueError(f"data.fps holds at least one rate above 0, not {list(fps)}")
        self.shards, self.set, self.images, self.latents = shards, set, images, latents
        self.bucket, self.fps, self.batch_size = bucket, fps, batch_size
        self.num_held_out, self.workers, self.seed = num_held_out, workers, seed
        self.num_steps = 0

    @property
    def folder(self) -> Path:
        """The packed set."""
        return Path(self.shards) / self.set

    def open(self, conditioning: Conditioning) -> None:
        """Opens the sets and plans which samples the stage can use.

        Raises:
            ValueError: no packed set, a damaged one, one without a field that the stage conditions on, or one of
                which no sample can be used.
        """
        self.check_packed()
        self.sources: list[Source] = [self._clips(self._shard_set("train"), conditioning)]
        if self.images:
            self.sources.append(
                ImageSource(Path(self.images), self.bucket, conditioning, caption=conditioning.captions)
            )
        held_out = self._shard_set("val")
        try:
            self.held_out, self._no_held_out = [self._clips(held_out, conditioning)], ""
        except ValueError as error:  # of a small corpus few samples are held out, and none may fit
            self.held_out, self._no_held_out = [], str(error)

    def check_packed(self) -> None:
        """Sees that there is a packed set, and one kind of samples.

        Raises:
            ValueError: there is none; says what is there, and the way out.
        """
        if (self.folder / LATENTS).exists():
            raise ValueError(f"{self.folder} holds latents: name the packed set as data.shards, them as data.latents")
        if self.latents and self.images:
            raise ValueError("data.latents and data.images cannot be had at once: a batch is of latents or of pixels")
        if (self.folder / MANIFEST).exists():
            return
        if (self.folder.parent / "shards").is_dir():
            raise ValueError(
                f"{self.shards} is a corpus; its packed sets lie in {self.folder.parent / 'shards'}: SHARDS="
            )
        there = sorted(path.parent.name for path in self.folder.parent.glob(f"*/{MANIFEST}"))
        if not there:
            raise ValueError(f"there are no shards in {self.shards}: run `make curate` first, or name others: SHARDS=")
        raise ValueError(
            f"{self.shards} has no packed set {self.set!r}, it has: {', '.join(there)}; pack it with `make curate`, "
            "or name another with --data.set"
        )

    @property
    def latent_set(self) -> LatentSet | None:
        """What is read in place of the videos, if anything is."""
        return LatentSet(Path(self.latents) / self.set) if self.latents else None

    def _shard_set(self, split: str) -> ShardSet:
        return ShardSet((self.latent_set.folder if self.latent_set else self.folder) / split)

    def _clips(self, shards: ShardSet, conditioning: Conditioning) -> ClipSource:
        told = (shards, self.bucket, self.fps, conditioning)
        if self.latent_set:
            return LatentSource(*told, self.latent_set.num_windows, caption=conditioning.captions)
        return ClipSource(*told, caption=conditioning.captions)

    @property
    def skipped(self) -> pa.Table:
        """What of the training samples the stage cannot use, and why: `buckets.SKIPPED`."""
        return pa.concat_tables([source.plan.skipped for source in self.sources])

    def describe(self) -> list[str]:
        """A line a source: its samples, and how many are skipped for which reason."""
        lines = [_describe(source) for source in self.sources]
        if not self.held_out:
            return [*lines, f"held out: no sample, so no held-out loss ({self._no_held_out})"]
        num_held_out = min(self.num_held_out, sum(len(source) for source in self.held_out))
        return [*lines, f"held out: {num_held_out} samples of {self.folder / 'val'}"]

    def identity(self) -> dict[str, str]:
        """What tells this data from other data: hashes of the sources, by name."""
        images = {"images": _hash(_listing(Path(self.images)))} if self.images else {}
        latents = {"latents": manifest_hash(self.latent_set.folder / "train")} if self.latent_set else {}
        return {"shards": manifest_hash(self.folder / "train")} | images | latents

    def train_dataloader(self) -> DataLoader:
        """Batches of this rank, from the position of the weights on to the end of the stage."""
        trainer = self.trainer
        assert trainer is not None
        accumulated, done = trainer.accumulate_grad_batches, trainer.global_step
        batches = Positions(
            start_batch=done * accumulated,
            num_batches=(self.num_steps - done) * accumulated,
            batch_size=self.batch_size,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )
        return StageLoader(
            Stream(self.sources, self.seed),
            num_batches=self.num_steps * accumulated,
            batch_sampler=batches,
            num_workers=self.workers,
            collate_fn=collate,
        )

    def held_out_batches(self, rank: int = 0, world_size: int = 1) -> Iterator[Batch]:
        """The held-out samples of a rank, the same windows of the same ones every time."""
        if not self.held_out:
            return
        stream = Stream(self.held_out, self.seed, shuffle=False)
        numbers = range(rank, min(self.num_held_out, stream.num_samples), world_size)
        for start in range(0, len(numbers), self.batch_size):
            yield collate([stream[number] for number in numbers[start : start + self.batch_size]])


class StageLoader(DataLoader):
    """A loader that begins amid a stage; Lightning takes it as resumable and counts on from the batches of before."""

    def __init__(self, dataset: Stream, num_batches: int, **settings: Any) -> None:
        super().__init__(dataset, **settings)
        self.num_batches = num_batches

    def __len__(self) -> int:
        """Batches of the whole stage, not of what is left."""
        return self.num_batches

    def state_dict(self) -> dict:
        """Nothing: the position follows from the optimizer's steps."""
        return {}

    def load_state_dict(self, state_dict: dict) -> None:
        """Nothing to do: `StageData.train_dataloader` began at the right position."""


def _describe(source: Source) -> str:
    skipped = source.plan.counts
    reasons = ", ".join(f"{count} {reason}" for reason, count in skipped.items())
    total = len(source) + sum(skipped.values())
    return f"{source.name}: {total} samples = {len(source)} usable + {total - len(source)} skipped" + (
        f" ({reasons})" if reasons else ""
    )


def _listing(folder: Path) -> str:
    """Names, sizes and times of all files below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "\n".join(f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
