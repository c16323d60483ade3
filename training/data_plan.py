"""What a stage would be shown, in words: a line for each set and each bucket of it."""

from collections.abc import Iterable, Sequence

from shards.order import Order
from training.bucket import Bucket
from training.sources import Source
from training.stream import Stream


def describe_source(source: Source) -> str:
    """Samples of a set that are usable and skipped, with the reasons."""
    skipped = source.plan.counts
    reasons = ", ".join(f"{count} {reason}" for reason, count in skipped.items())
    total = len(source) + sum(skipped.values())
    without = source.plan.num_unconditional
    return (
        f"{source.name}: {total} samples = {len(source)} usable + {total - len(source)} skipped"
        + (f" ({reasons})" if reasons else "")
        + (f"; {without} without a caption train unconditionally" if without else "")
        + (f"; no caption of {_listed(source.plan.absent_sources)}" if source.plan.absent_sources else "")
        + (f"; captions of {_listed(source.plan.ignored_sources)} are not drawn" if source.plan.ignored_sources else "")
    )


def describe_bucket(bucket: Bucket, order: Order, number: int, tokens: int) -> str:
    """Samples, batches and tokens of an epoch; samples that fill no batch begin the next epoch.

    Args:
        bucket: in words.
        order: of the set.
        number: of the bucket.
        tokens: of one sample.
    """
    count, size = int(order.num_samples[number]), int(order.batch_sizes[number])
    if not count:
        return f"  bucket {bucket}: no sample"
    batches, rest = divmod(count, size)
    carried = f", {rest} carried on" if rest else ""
    return f"  bucket {bucket}: {count:,} samples, {batches:,} batches of {size}{carried}, {count * tokens:,} tokens"


def refuse_small(stream: Stream, buckets: Sequence[Bucket], global_batch: int) -> None:
    """Sees that every bucket has a step's samples.

    Raises:
        ValueError: an epoch of one has fewer; names it.
    """
    for source, order in zip(stream.sources, stream.orders, strict=True):
        for bucket, count in zip(buckets, order.num_samples.tolist(), strict=True):
            if 0 < count < global_batch:
                raise ValueError(
                    f"{source.name} has {count:,} samples of bucket {bucket}, and data.global_batch wants "
                    f"{global_batch:,} a step: lower it, or take the bucket out of data.buckets"
                )


def refuse_absent_captions(sources: Sequence[Source]) -> None:
    """Sees that some set has captions of each source that is to be drawn: else the others would be drawn more often.

    Raises:
        ValueError: none has those of one; names it.
    """
    if absent := frozenset.intersection(*(source.plan.absent_sources for source in sources)):
        names = ", ".join(source.name for source in sources)
        raise ValueError(
            f"data.caption_weights names {_listed(absent)}, and no usable sample of {names} has such a caption: take "
            "it out (data.caption_weights; null draws all captions alike), or caption the clips and pack again"
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names)))
