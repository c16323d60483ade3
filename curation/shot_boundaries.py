"""Decides from chances and TransNetV2's answers what is a cut, what a transition, and what may be one."""

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from curation.splitters.transnet import runs

if TYPE_CHECKING:
    from curation.splitters.hybrid import Hybrid

NEUTRAL = (0.1, 0.2)  # what TransNetV2 says where nothing can be told: of a cut, of a transition
LOUDEST = 3.0  # in log odds
LEAST = 0.3  # chance below which nothing is considered
SHORTEST_SPAN = 3  # frames: what is shorter is a hard cut smeared by coding
LONGEST_SMEAR, SURE = 6, 0.8  # a cut this likely inside a span this short is the truth
DEEPEST, LEAST_SPREAD, PLAIN = 0.35, 0.05, 0.1  # what makes a fade-out and a fade-in of one span; chosen on films

Spans = list[tuple[int, int]]
"""Of frames, half-open."""


def boundaries(chances: np.ndarray, answers: np.ndarray, spread: np.ndarray, settings: "Hybrid") -> tuple[Spans, Spans]:
    """Decides what is a boundary, and what is suspected to be a transition.

    Args:
        chances: float32 (num_frames, 2), of `ShotReader.read`.
        answers: float32 (num_frames, 2), of `ShotNetwork.probabilities`; NaN where it was not asked.
        spread: float32 (num_frames,), how far apart dark and light parts of the picture are, 0..1.
        settings: thresholds and weight.

    Returns:
        Both as half-open spans of frames, sorted; one that is empty is a hard cut before that frame.
    """
    weight, said = settings.network_weight, np.where(np.isfinite(answers), answers, NEUTRAL)
    spans = _transitions(chances[:, 1], LEAST, settings.span_threshold)
    spans = [part for span in spans for part in parted(span, spread)]
    cuts = [frame for frame in _peaks(chances[:, 0], LEAST) if frame > 0]
    sure: Spans = []
    suspected: Spans = []
    for start, end in _agreed(cuts, spans, chances):
        around = slice(max(0, start - 3), start + 2) if start == end else slice(start, end)
        kind = int(start < end)
        own = chances[start : max(end, start + 1), kind].max()
        odds = _log_odds(own) + weight * _opinion(said[around], kind)
        if odds > _log_odds(settings.transition_threshold if kind else settings.cut_threshold):
            sure.append((start, end))
        elif kind and odds > _log_odds(settings.suspicion_threshold):
            suspected.append((start, end))
    wide = _widened(sure + suspected, settings.span_margin, len(chances))
    return sorted(wide.get(span, span) for span in sure), sorted(wide[span] for span in suspected)


def without(spans: Spans, others: Spans, num_frames: int) -> Spans:
    """The frames of the first spans that are in none of the others: spans sorted and apart, within the video."""
    flags = np.zeros(num_frames, bool)
    for start, end in spans:
        flags[max(0, start) : end] = True
    for start, end in others:
        flags[start:end] = False
    return runs(flags)


def _opinion(said: np.ndarray, kind: int) -> float:
    """What TransNetV2 says for (> 0) or against a cut (kind 0) or a transition (1), in log odds."""
    strongest = said[:, 0].max() if said[:, 0].max() > NEUTRAL[0] or not kind else 0.0
    if kind:
        strongest = max(strongest, np.sort(said[:, 1])[-max(1, len(said) // 3) :].mean())
    return float(np.clip(_log_odds(strongest) - _log_odds(NEUTRAL[kind]), -LOUDEST, LOUDEST))


def _log_odds(chance: float) -> float:
    inside = min(max(float(chance), 1e-4), 1 - 1e-4)
    return math.log(inside / (1 - inside))


def _transitions(chances: np.ndarray, threshold: float, span_threshold: float) -> Spans:
    """Runs above the first threshold, widened down to the second, at most to the lowest point between two of them."""
    likely, wide = runs(chances > threshold), chances > span_threshold
    valleys = [end + int(chances[end:start].argmin()) for (_, end), (start, _) in pairwise(likely)]
    spans = []
    for (start, end), (lowest, highest) in zip(likely, pairwise([0, *valleys, len(chances)]), strict=False):
        while start > lowest and wide[start - 1]:
            start -= 1
        while end < highest and wide[end]:
            end += 1
        spans.append((start, end))
    return [(start, end) for start, end in spans if end - start >= SHORTEST_SPAN]


def parted(span: tuple[int, int], spread: np.ndarray) -> Spans:
    """A fade-out that meets a fade-in is two transitions: divides a span where the picture is plain in its midst.

    Args:
        span: half-open, frames.
        spread: float32 (num_frames,), of the whole video.

    Returns:
        Two parts or more, which meet in the middle of what is plain; the span itself where there is no such place. A
        dissolve has none: half of each of two pictures is no plain one.
    """
    start, end = span
    inside = spread[start:end]
    if len(inside) < 2 * SHORTEST_SPAN:
        return [span]
    lowest = SHORTEST_SPAN - 1 + int(inside[SHORTEST_SPAN - 1 : 1 - SHORTEST_SPAN].argmin())
    top = min(inside[: lowest + 1].max(), inside[lowest:].max())
    if inside[lowest] >= DEEPEST * top or top <= LEAST_SPREAD:
        return [span]
    plain = inside <= inside[lowest] + PLAIN * (top - inside[lowest])
    first, last = next(run for run in runs(plain) if run[0] <= lowest < run[1])
    middle = start + (first + last) // 2
    return parted((start, middle), spread) + parted((middle, end), spread)


def _widened(spans: Spans, margin: int, num_frames: int) -> dict[tuple[int, int], tuple[int, int]]:
    """The transitions among the spans, with a margin on both sides that ends halfway to the next transition."""
    transitions = sorted((start, end) for start, end in spans if start < end)
    halfway = [(end + start) // 2 for (_, end), (start, _) in pairwise(transitions)]
    limits = pairwise([0, *halfway, num_frames])
    return {
        (start, end): (max(lowest, start - margin), min(highest, end + margin))
        for (start, end), (lowest, highest) in zip(transitions, limits, strict=False)
    }


def _peaks(chances: np.ndarray, threshold: float) -> list[int]:
    """Frames above the threshold and above all others within two frames."""
    return [
        frame
        for frame in np.flatnonzero(chances > threshold).tolist()
        if chances[frame] == chances[max(0, frame - 2) : frame + 3].max()
    ]


def _agreed(cuts: list[int], spans: Spans, chances: np.ndarray) -> Spans:
    """Cuts and spans together; inside a span only sure cuts stay: a fade may end in a cut."""
    kept = list(spans)
    for cut in cuts:
        around = next((span for span in kept if span[0] + 1 < cut < span[1] - 1), None)
        if around and chances[cut, 0] <= SURE:
            continue
        if around and around[1] - around[0] <= LONGEST_SMEAR:
            kept.remove(around)
        kept.append((cut, cut))
    return kept
