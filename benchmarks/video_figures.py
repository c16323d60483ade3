"""What sampled videos are worth: how much likelier their own caption is, and how often things go where it says."""

from collections.abc import Sequence

import numpy as np

from benchmarks.thing_track import displacement, goes
from training.metrics.intervals import wilson

CONFIDENCE = 0.95
DRAWS = 10_000


def caption_margin(similarities: np.ndarray, seed: int = 0) -> dict[str, float]:
    """How much more a video resembles its own caption than another video's.

    Args:
        similarities: (N, N) cosine of video i and caption j; row i belongs to caption i.
        seed: of the bootstrap over videos.

    Returns:
        `own`, `others` (means), `margin` (their difference, taken video by video) and its 95 % interval `low`, `high`.
    """
    own = np.diagonal(similarities)
    others = (similarities.sum(axis=1) - own) / (len(own) - 1)
    drawn = np.random.default_rng(seed).integers(len(own), size=(DRAWS, len(own)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile((own - others)[drawn].mean(axis=1), (tail, 1 - tail))
    figures = {"own": own.mean(), "others": others.mean(), "margin": (own - others).mean(), "low": low, "high": high}
    return {name: round(float(value), 3) for name, value in figures.items()}


def right_way(videos: Sequence[np.ndarray], movers: Sequence[tuple[str, str]]) -> dict[str, float]:
    """How often a thing goes where its caption says.

    Args:
        videos: (T, H, W, 3) uint8 each.
        movers: colour and stated direction of one thing of each.

    Returns:
        `count` and `of`; their `share` with its 95 % Wilson interval `low`, `high`; and `chance`, the share if every
        video were held against the directions of all others' captions: a model that goes one way whatever it is told
        gains nothing by that.
    """
    ways = [displacement(frames, colour) for frames, (colour, _) in zip(videos, movers, strict=True)]
    hits = np.array([[goes(way, direction) for _, direction in movers] for way in ways])
    count, of = int(np.trace(hits)), len(hits)
    low, high = wilson(count, of)
    chance = (hits.sum() - count) / (of * (of - 1))
    figures = {"share": count / of, "low": low, "high": high, "chance": float(chance)}
    return {"count": count, "of": of} | {name: round(value, 3) for name, value in figures.items()}
