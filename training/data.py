"""The data of a stage as Lightning takes it: which samples, in which order, from which position on."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from shards.manifest import SPLITS
from shards.order import token_batch_sizes
from shards.places import Place
from shards.reader import ShardSet
from training.bucket import Bucket
from training.caption_draw import CaptionDraw
from training.clips import ClipSource
from training.conditioning import Conditioning
from training.data_plan import describe_bucket, describe_source, refuse_absent_captions, refuse_small
from training.global_batch import accumulated_batches
from training.kept import hash_of, kept_keys
from training.latent_set import LatentSet, manifest_hash
from training.latents import LatentSource
from training.loader import StageLoader
from training.packed import check_packed, packed_folder
from training.rates import Rates
from training.stream import Batch, Positions, Stream

TRAIN, VAL = SPLITS


class StageData(LightningDataModule):
    """Samples of one packed set, or of several, mixed."""

    def __init__(
        self,
        shards: str,
        buckets: list[Bucket],
        set: str = "pretrain",
        mixture: dict[str, int] | None = None,
        kept: str | None = None,
        latents: str | None = None,
        fps: tuple[float, ...] | None = (8.0,),
        strides: tuple[int, ...] | None = None,
        sampling_fps: float | None = None,
        caption_weights: dict[str, float] | None = None,
        batch_size: int | None = None,
        tokens_per_batch: int | None = None,
        global_batch: int | None = None,
        num_held_out: int = 256,
        max_failed: int = 100,
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        """Reads nothing yet.

        Args:
            shards: folder or address of packed sets, as `make curate` writes it: OUT/shards.
            buckets: frames, height and width that the stage trains on; a batch is of one of them. A sample is seen in
                the largest of those that it fits and that cut off least of it. Videos are sampled in the first one.
            set: the packed set in it.
            mixture: the sets that are trained on in place of `set`, by name in `shards` or by folder, told by a slash;
                and how many batches of each come in a round. The held-out samples stay those of `set`.
            kept: verdicts of a corpus (OUT/verdicts/<set>): only clips that they keep are trained on, so that many
                selections share one packed set. The held-out samples stay all those of `set`.
            latents: folder of latent sets that `python -m training encode` made of these packed sets; they are read in
                place of the videos. Of the packed sets their manifests are still needed.
            fps: frames a second at which clips are read; a sample draws one of those that it is long enough for.
            strides: in place of `fps`, which is null then: every s-th frame of a clip at its own rate is read, from a
                whole frame on; the model is told the rate of the frames that it sees.
            sampling_fps: frames a second of videos that are sampled; the first of `fps`, and with strides to be told.
            caption_weights: how often captions of each source are drawn, as in {coca: 0.5, llm: 0.25}; see
                `CaptionDraw`. Without it each caption of a sample is drawn alike.
            batch_size: samples a step and device.
            tokens_per_batch: in place of `batch_size`: as many samples a step and device as have at most so many
                tokens; a token is one place in the latents' frames x height x width.
            global_batch: samples a step, all of one bucket, whatever the number of ranks; what fits a batch of the
                bucket with most tokens then decides how many are accumulated. Without it a step is one batch a rank.
            num_held_out: at most so many samples of the set's `val` split make the held-out loss.
            max_failed: samples that a stage may find unreadable on its way; it stops at one more.
            workers: processes that read ahead; 0 reads in the training process.
            seed: of the order, of windows, captions and noise.
        """
        super().__init__()
        if not fps and not strides:
            raise ValueError("one of data.fps and data.strides holds at least one number")
        self.rates, self.captions = Rates(fps or (), strides or ()), CaptionDraw(caption_weights or {})
        self.sampling_fps = sampling_fps if sampling_fps is not None else (fps or (0.0,))[0]
        if not self.sampling_fps > 0:
            raise ValueError("data.sampling_fps, the rate of sampled videos, is above 0, and told where strides are")
        if not buckets:
            raise ValueError("data.buckets names no bucket")
        if (batch_size is None) == (tokens_per_batch is None) or min(batch_size or 1, tokens_per_batch or 1) < 1:
            raise ValueError("one of data.batch_size and data.tokens_per_batch is a number above 0, the other is null")
        if global_batch is not None and global_batch < 1:
            raise ValueError(f"data.global_batch is a number of samples above 0, not {global_batch}")
        self.global_batch = global_batch
        self.shards, self.set, self.mixture, self.latents = shards, set, mixture or {set: 1}, latents
        self.kept = kept
        self.buckets, self.batch_size, self.tokens_per_batch = buckets, batch_size, tokens_per_batch
        self.num_held_out, self.max_failed, self.workers, self.seed = num_held_out, max_failed, workers, seed
        self.num_steps, self.batches_per_step = 0, 1

    @cached_property
    def _kept_keys(self) -> pa.Array | None:
        return kept_keys(self.kept) if self.kept else None

    @property
    def bucket(self) -> Bucket:
        """What videos are sampled in."""
        return self.buckets[0]

    @property
    def folder(self) -> Place:
        """The packed set that the held-out samples are of."""
        return packed_folder(self.shards, self.set)

    @property
    def latent_bucket(self) -> Bucket:
        """What latents are of: the bucket with most frames.

        Raises:
            ValueError: the buckets differ in height or width.
        """
        if len({(bucket.height, bucket.width) for bucket in self.buckets}) > 1:
            raise ValueError("a latent set is of one height and width: name one size in data.buckets, or no latents")
        return max(self.buckets, key=lambda bucket: bucket.num_frames)

    def packed_sets(self) -> list[Place]:
        """All sets that are read, each once.

        Raises:
            ValueError: one is missing.
        """
        return [check_packed(self.shards, name) for name in dict.fromkeys([*self.mixture, self.set])]

    def latent_sets(self) -> dict[Place, LatentSet]:
        """What is read in place of the videos, if anything is: packed set -> latent set, of the same name.

        Raises:
            ValueError: a packed set is missing, or two have one name.
        """
        if not self.latents:
            return {}
        folders = self.packed_sets()
        if len({folder.name for folder in folders}) < len(folders):
            raise ValueError("latent sets go by the names of their packed sets, and two sets of data.mixture share one")
        return {folder: LatentSet(Path(self.latents) / folder.name) for folder in folders}

    def batch_sizes(self, tokens: Sequence[int]) -> list[int]:
        """Samples by bucket of what a device takes at once; of a step's equal parts with `global_batch` at most.

        Args:
            tokens: of one sample, by bucket.

        Raises:
            ValueError: a single sample has more than `tokens_per_batch`.
        """
        if self.tokens_per_batch is None:
            return [self.batch_size or 1] * len(self.buckets)
        return token_batch_sizes(tokens, self.tokens_per_batch)

    def accumulated(self, tokens: Sequence[int], ranks: int, accumulated: int) -> int:
        """Batches that each rank accumulates for a step.

        Args:
            tokens: of one sample, by bucket.
            ranks: that share a step.
            accumulated: as the trainer is told; what counts without `global_batch`.

        Raises:
            ValueError: both are told, or `global_batch` cannot be cut into equal batches.
        """
        if self.global_batch is None:
            return accumulated
        if accumulated != 1:
            raise ValueError("trainer.accumulate_grad_batches follows from data.global_batch: leave it at 1")
        return accumulated_batches(self.global_batch, ranks, min(self.batch_sizes(tokens)))

    def share_steps(self, ranks: int, accumulated: int) -> int:
        """Settles in how many batches the samples of a step come, once the data is open; see `accumulated`."""
        accumulated = self.accumulated(self.tokens, ranks, accumulated)
        self.batches_per_step = ranks * accumulated
        if self.global_batch is not None:
            self.stream.parts = self.batches_per_step
        return accumulated

    def open(self, conditioning: Conditioning, tokens: Sequence[int]) -> None:
        """Opens the sets and plans which samples the stage can use.

        Args:
            conditioning: what samples must have.
            tokens: of one sample, by bucket.

        Raises:
            ValueError: no packed set, a damaged one, one without a field that the stage conditions on, one of which no
                sample can be used; or weights or sizes that cannot be.
        """
        self.tokens, latents, sizes = list(tokens), self.latent_sets(), self.batch_sizes(tokens)
        folders = [check_packed(self.shards, name) for name in self.mixture]
        sources = [self.source(folder, TRAIN, latents, conditioning, self._kept_keys) for folder in folders]
        refuse_absent_captions(sources)
        steps = [self.global_batch] * len(sizes) if self.global_batch is not None else sizes
        stream = Stream(sources, steps, self.seed, list(self.mixture.values()))
        if self.global_batch is not None:
            refuse_small(stream, self.buckets, self.global_batch)
        self.stream = stream
        try:
            held_out = [self.source(check_packed(self.shards, self.set), VAL, latents, conditioning)]
            self.held_out, self._no_held_out = Stream(held_out, sizes, self.seed), ""
        except ValueError as error:  # of a small corpus few samples are held out, and none may fit
            self.held_out, self._no_held_out = None, str(error)

    def source(
        self,
        folder: Place,
        split: str,
        latents: Mapping[Place, LatentSet],
        conditioning: Conditioning,
        kept: pa.Array | None = None,
    ) -> ClipSource:
        """A split of a packed set as the stage sees it, or of the latents that stand for it; see `ClipSource`."""
        told, more = (self.buckets, self.rates, conditioning), {"captions": self.captions, "kept": kept}
        if found := latents.get(folder):
            packed = ShardSet(folder / split) if conditioning.given else None
            return LatentSource(ShardSet(found.folder / split), *told, found.num_windows, packed, **more)
        return ClipSource(ShardSet(folder / split), *told, **more)

    @property
    def skipped(self) -> pa.Table:
        """What of the training samples the stage cannot use, and why: `sample_plan.SKIPPED`."""
        return pa.concat_tables([source.plan.skipped for source in self.stream.sources])

    def describe(self) -> Iterator[str]:
        """What is trained on, set by set and bucket by bucket; how many samples are skipped for which reason."""
        for source, order, weight in zip(
            self.stream.sources, self.stream.orders, self.stream.mixture.weights, strict=True
        ):
            share = f", {weight} of {self.stream.mixture.length} batches" if len(self.stream.sources) > 1 else ""
            yield describe_source(source) + share
            for number, bucket in enumerate(self.buckets):
                yield describe_bucket(bucket, order, number, self.tokens[number])
        if self.held_out:
            yield f"held out: {self.num_held_out_there} samples of {self.folder / VAL}"
        else:
            yield f"held out: no sample, so no held-out loss ({self._no_held_out})"

    @property
    def is_open(self) -> bool:
        """Whether `open` has succeeded."""
        return hasattr(self, "stream")

    def identity(self) -> dict[str, Any]:
        """What tells this data from other data: hashes of the sets, and their weights where there are several."""
        folders = [packed_folder(self.shards, name) for name in self.mixture]
        told: dict[str, Any] = {"shards": [manifest_hash(folder / TRAIN) for folder in folders]}
        if latents := self.latent_sets():
            told["latents"] = [manifest_hash(latents[folder].folder / TRAIN) for folder in folders]
        if self._kept_keys is not None:
            told["kept"] = hash_of(self._kept_keys)
        return told | ({"mixture": list(self.mixture.values())} if len(folders) > 1 else {})

    def samples_at(self, step: int) -> int:
        """Samples that so many steps of the stage learn from, over all ranks."""
        return self.stream.samples_before(step * self.batches_per_step)

    def train_dataloader(self) -> DataLoader:
        """Batches of this rank, from the position of the weights on to the end of the stage."""
        trainer = self.trainer
        assert trainer is not None
        accumulated, done = trainer.accumulate_grad_batches, trainer.global_step
        positions = Positions(
            start=done * self.batches_per_step,
            num_batches=(self.num_steps - done) * accumulated,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )
        return StageLoader(
            self.stream,
            num_batches=self.num_steps * accumulated,
            sampler=positions,
            num_workers=self.workers,
            multiprocessing_context="spawn" if self.workers and self._is_away else None,
        )

    @property
    def _is_away(self) -> bool:
        """Whether a set lies at an address: storage libraries have threads, which a fork would not copy."""
        return not all(isinstance(folder, Path) for folder in self.packed_sets())

    @property
    def num_held_out_there(self) -> int:
        """Samples of which the held-out loss is made."""
        return min(self.num_held_out, len(self.held_out.sources[0])) if self.held_out else 0

    def held_out_batches(self, rank: int = 0, world_size: int = 1) -> Iterator[Batch]:
        """The held-out samples of a rank, the same windows of the same ones every time."""
        return self.held_out.first(self.num_held_out, rank, world_size) if self.held_out else iter(())
