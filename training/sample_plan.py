"""The plan of a set: which samples a stage trains on, in which bucket, which are skipped, and why.

Reads indexes alone, never a sample. An epoch is made of the samples that a plan calls usable.
"""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shards.schema import field
from training.bucket import Bucket, choose
from training.conditioning import NONE, REQUIRED
from training.rates import RATE_SLACK, Rates

SKIPPED = pa.schema(
    [
        field("key", pa.string(), "the sample, or the picture's path in its folder"),
        field("reason", pa.string(), "why it is skipped, in words that can be counted"),
        field("detail", pa.string(), "its own numbers; may be empty"),
    ]
)


@dataclass(frozen=True)
class Needs:
    """What a stage conditions on, so what each sample must have."""

    captions: str = REQUIRED
    """As `Conditioning.captions`."""
    sources: tuple[str, ...] = ()
    """Of captions that count, "" for those that tell none; without, all do."""
    scores: tuple[str, ...] = ()
    """Columns of scores."""
    motion_bucket: bool = False
    kept: pa.Array | None = None
    """Keys of the samples that count; without, all do."""

    def of(self, bucket: Bucket) -> "Needs":
        """What a bucket's samples must have: for pictures all numbers are 0."""
        return Needs(self.captions, self.sources, kept=self.kept) if bucket.is_image else self


@dataclass(frozen=True, eq=False)
class Plan:
    """What of a set is trained on; usable and skipped samples add up to the set."""

    usable: np.ndarray
    """(n,) int64, rising: numbers of samples in the order of the set."""
    skipped: pa.Table
    """Of `SKIPPED`, in the order of the set."""
    buckets: np.ndarray
    """(n,) int64: number of the bucket of each usable sample."""
    num_unconditional: int = 0
    """Usable samples without a caption, where captions are optional."""
    absent_sources: frozenset[str] = frozenset()
    """Sources of captions that count, and that no usable sample has a caption of."""
    ignored_sources: frozenset[str] = frozenset()
    """Sources of captions that do not count, and that samples have."""

    @property
    def counts(self) -> dict[str, int]:
        """Skipped samples by reason, the most frequent first."""
        return dict(Counter(self.skipped["reason"].to_pylist()).most_common())

    @classmethod
    def of_rows(
        cls, name: str, keys: pa.Array | pa.ChunkedArray, rows: dict[int, tuple[str, str]], buckets: np.ndarray
    ) -> "Plan":
        """The plan of a set by what is skipped of it.

        Args:
            name: the set, for messages.
            keys: (S,) strings, the keys of all its samples.
            rows: reason and detail of each skipped sample by its number.
            buckets: (S,) number of each sample's bucket; of skipped ones anything.

        Raises:
            ValueError: nothing is usable; counts the reasons.
        """
        numbers = np.fromiter(sorted(rows), np.int64, len(rows))
        reasons, details = ([rows[number][k] for number in numbers.tolist()] for k in (0, 1))
        skipped = pa.table([keys.take(pa.array(numbers)), reasons, details], schema=SKIPPED)
        usable = np.delete(np.arange(len(keys)), numbers)
        plan = cls(usable, skipped, buckets[usable])
        if not len(plan.usable):
            reasons = ", ".join(f"{count} {reason}" for reason, count in plan.counts.items()) or "it is empty"
            raise ValueError(f"nothing of {name} can be used for this stage: {reasons}")
        return plan


def plan_samples(index: pa.Table, buckets: Sequence[Bucket], rates: Rates, needs: Needs, name: str) -> Plan:
    """Sorts the samples of a set into buckets, and says which are skipped.

    Args:
        index: of `shards.schema.INDEX`.
        buckets: what the stage trains on, at least one. Samples are never enlarged. Why one fits none is told of the
            smallest bucket.
        rates: at which clips are seen; a clip is usable if one of them fits.
        needs: what the stage conditions on.
        name: folder of the set, for messages.

    Raises:
        ValueError: there are no rates; no sample at all has something that is needed; nothing is
            usable.
    """
    if not all(bucket.is_image for bucket in buckets) and not (rates.fps or rates.strides):
        raise ValueError("a stage on video needs rates to take frames at: data.fps or data.strides")
    checks = [_checks(index, bucket, rates, needs.of(bucket), name) for bucket in buckets]
    fitting = np.stack([~np.any([failed for _, failed, _ in each], axis=0) for each in checks], axis=1)
    chosen = choose(fitting, index["width"].to_numpy(), index["height"].to_numpy(), buckets)
    rows: dict[int, tuple[str, str]] = {}
    for reason, failed, detail in checks[int(np.argmin([bucket.volume for bucket in buckets]))]:
        for number in np.flatnonzero(failed & (chosen < 0)).tolist():
            if number not in rows:
                rows[number] = reason, detail(number)
    plan = Plan.of_rows(name, index["key"], rows, chosen)
    if needs.captions == NONE:
        return plan
    captioned = _has_caption(index["captions"], needs.sources)[plan.usable]
    found = {source: _has_caption(index["captions"], [source])[plan.usable].any() for source in needs.sources}
    absent = frozenset(source for source, is_there in found.items() if not is_there)
    ignored = _sources(index["captions"]).difference(needs.sources) if needs.sources else frozenset()
    num_unconditional = int((~captioned).sum())
    return replace(plan, num_unconditional=num_unconditional, absent_sources=absent, ignored_sources=ignored)


_Check = tuple[str, np.ndarray, Callable[[int], str]]
"""A reason, which samples (S,) bool it is true of, and the words for one of them."""


def _checks(index: pa.Table, bucket: Bucket, rates: Rates, needs: Needs, name: str) -> list["_Check"]:
    kept = _kept_check(index, needs)
    if bucket.is_image:
        return [*kept, *_need_checks(index, needs, name), _size_check(index, bucket)]
    pictures = np.isnan(index["fps"].to_numpy())
    found: list[_Check] = [("a picture", pictures, lambda _: "")]
    if not pictures.all():
        found += _need_checks(index, needs, name)
    return [*kept, *found, _size_check(index, bucket), *_time_checks(index, bucket, rates)]


def _kept_check(index: pa.Table, needs: Needs) -> list[_Check]:
    if needs.kept is None:
        return []
    return [("not in data.kept", ~pc.is_in(index["key"], value_set=needs.kept).to_numpy(), lambda _: "")]


def _need_checks(index: pa.Table, needs: Needs, name: str) -> list[_Check]:
    checks: list[_Check] = []
    if needs.captions != NONE:
        missing = ~_has_caption(index["captions"], needs.sources)
        if len(index) and missing.all():
            raise ValueError(_no_captions(index, needs, name))
        if needs.captions == REQUIRED:
            checks.append(("no caption", missing, lambda _: ""))
    if needs.motion_bucket:
        checks.append(("no motion bucket", index["motion_bucket"].is_null().to_numpy(), lambda _: ""))
        if len(index) and checks[-1][1].all():
            raise ValueError(
                f"{name} has no `motion_bucket` that this stage conditions on: name the score that it is the rank of "
                "(`pack.motion_column`), and pack again; or condition on `scores.<column>`"
            )
    for score in needs.scores:
        found = pc.map_lookup(index["scores"], query_key=pa.scalar(score), occurrence="first")
        checks.append((f"no score {score}", found.is_null(nan_is_null=True).to_numpy(), lambda _: ""))
        if len(index) and checks[-1][1].all():
            raise ValueError(
                f"{name} has no score `{score}` that this stage conditions on; its scores: {_score_names(index)}; "
                "score the corpus with it and pack again"
            )
    return checks


def _no_captions(index: pa.Table, needs: Needs, name: str) -> str:
    without = "or train without: ARGS='--model.conditioning.captions none'"
    sources = _sources(index["captions"])
    if not needs.sources or not sources:
        return f"{name} has no captions, and this stage conditions on them: bring some and pack again, {without}"
    return (
        f"{name} has no captions of the sources in data.caption_weights, {', '.join(map(repr, needs.sources))}; it has "
        f"those of {', '.join(map(repr, sorted(sources)))}: name some of these, draw all alike "
        f"(ARGS='--data.caption_weights null'), {without}"
    )


def _sources(captions: pa.ChunkedArray) -> frozenset[str]:
    """Of all captions, "" for those that tell none."""
    chunks = [pc.struct_field(pc.list_flatten(chunk), "source").unique().to_pylist() for chunk in captions.chunks]
    return frozenset(source or "" for chunk in chunks for source in chunk)


def _has_caption(captions: pa.ChunkedArray, sources: Sequence[str]) -> np.ndarray:
    """Which samples have a caption that is not blank, of one of the sources if some are named: (S,) bool."""
    masks = [np.zeros(0, bool)]
    for chunk in captions.chunks:  # one by one: together their texts may pass what one array can hold
        texts = pc.utf8_trim_whitespace(pc.struct_field(pc.list_flatten(chunk), "text"))
        blank = pc.is_in(texts, value_set=pa.array(["", None])).to_numpy(zero_copy_only=False)
        if sources:
            told = pc.fill_null(pc.struct_field(pc.list_flatten(chunk), "source"), "")
            blank = blank | ~pc.is_in(told, value_set=pa.array(sources)).to_numpy(zero_copy_only=False)
        masks.append(np.zeros(len(chunk), bool))
        masks[-1][pc.list_parent_indices(chunk).to_numpy()[~blank]] = True
    return np.concatenate(masks)


def _score_names(index: pa.Table) -> str:
    names = {name for row in index["scores"].to_pylist() for name, value in row or [] if value is not None}
    return ", ".join(sorted(names)) or "none"


def _size_check(index: pa.Table, bucket: Bucket) -> _Check:
    width, height = (index[side].to_numpy() for side in ("width", "height"))
    failed = (width < bucket.width) | (height < bucket.height)
    wanted = f"{bucket.width}x{bucket.height}"
    return "smaller than the bucket", failed, lambda i: f"{width[i]}x{height[i]} pixels, the bucket has {wanted}"


def _time_checks(index: pa.Table, bucket: Bucket, rates: Rates) -> list[_Check]:
    num_frames, fps = index["num_frames"].to_numpy(), index["fps"].to_numpy()
    choices = rates.of(fps)  # (S, C)
    lowest = choices.min(axis=1)

    def length(i: int) -> str:
        rate = choices[i][choices[i] <= fps[i] * RATE_SLACK].max()
        takes_s = (bucket.num_frames - 1) / rate
        wanted = f"{bucket.num_frames} frames at {rate:g} a second take {takes_s:.2f} s"
        return f"{(num_frames[i] - 1) / fps[i]:.2f} s, {wanted}"

    slow = lowest > fps * RATE_SLACK
    return [
        ("too few frames a second", slow, lambda i: f"{fps[i]:.2f}, the lowest rate wanted is {lowest[i]:g}"),
        ("too short", ~rates.fit(bucket.num_frames, num_frames, fps).any(axis=1) & ~slow, length),
    ]
