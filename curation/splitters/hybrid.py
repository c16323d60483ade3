"""A cheap look at every frame, and TransNetV2 only where that leaves doubt; the default."""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from curation.heap import trim_heap
from curation.prolonged import prolonged
from curation.row_log import RowLog
from curation.shot_features import NAMES, REACH, features
from curation.splitter import Boundaries, Detector, Splitter
from curation.splitters.transnet import in_ticks, runs

if TYPE_CHECKING:
    from curation.shot_reader import ShotReader
    from curation.small_frame import SmallFrame

CHUNK = 768  # frames read at a time
MARGIN = 96  # more on each side: what a reading depends on
# Frames on each side of a doubt that TransNetV2 sees: windows of 48 gave its answers of 100 within 0.016 on average.
CONTEXT = 18
NEUTRAL = (0.1, 0.2)  # what TransNetV2 says where nothing can be told: of a cut, of a transition
LOUDEST = 3.0  # in log odds
LEAST = 0.3  # chance below which nothing is considered
LONGEST_LOOK = 64  # frames of doubt that it is asked about at once
SHORTEST_LOOK = 56  # frames that it sees at least: looks of one size take one amount of memory
SHORTEST_SPAN = 3  # frames: what is shorter is a hard cut smeared by coding
LONGEST_SMEAR, SURE = 6, 0.8  # a cut this likely inside a span this short is the truth
DEEPEST, LEAST_SPREAD, PLAIN = 0.35, 0.05, 0.1  # what makes a fade-out and a fade-in of one span; chosen on films
SPREAD = NAMES.index("spread")
READING = np.dtype(
    [("pts", np.int64), ("chances", np.float32, 2), ("answers", np.float32, 2), ("log_spread", np.float32)]
)

Spans = list[tuple[int, int]]
"""Of frames, half-open."""


@dataclass(frozen=True)
class Hybrid(Splitter):
    """Hard cuts, and gradual transitions as spans."""

    cut_threshold: float = 0.9
    """Chance from which a frame is the first after a cut, 0..1; chosen on rendered films."""
    transition_threshold: float = 0.95
    """Chance from which a run of frames is a transition, 0..1; chosen on edited footage, benchmarks/edited.json."""
    suspicion_threshold: float = 0.5
    """Chance from which a run of frames is kept out of clips since it may be a transition, 0..1; 1 suspects nothing."""
    span_threshold: float = 0.2
    """Chance down to which a transition is widened, 0..1."""
    span_margin: int = 2
    """Frames added on both sides of a transition: the first and last percents of a fade cannot be seen."""
    doubt: tuple[float, float] = (0.12, 0.995)
    """TransNetV2 is asked where the chance after the cheap look lies between these; (1, 1) never asks."""
    network_weight: float = 1.0
    """How much TransNetV2's own word counts besides: it has seen more footage than the reader of its answers."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where TransNetV2 runs; `auto` takes a GPU when there is one."""
    threads: int = 1
    """Of torch, on the CPU. Part of the result: other numbers of threads change the last bits."""

    def build(self, time_base: Fraction, fps: Fraction) -> Detector:
        """A detector; TransNetV2 is loaded at the first doubt in a process."""
        from curation.shot_reader import shot_reader

        return HybridDetector(self, shot_reader())

    def weights(self) -> list[Path]:
        """Both networks'."""
        from curation.shot_network import weights_file
        from curation.shot_reader import WEIGHTS

        return [WEIGHTS, weights_file()]


class HybridDetector(Detector):
    """Keeps the thumbnails of at most CHUNK + 2 * MARGIN frames, and on disk 28 bytes of every frame."""

    def __init__(self, settings: Hybrid, reader: "ShotReader") -> None:
        self._settings, self._reader = settings, reader
        self._held: list[tuple[int, np.ndarray]] = []
        self._before = 0  # held frames that have been read already
        self._log = RowLog(READING)

    def process(self, frame: "SmallFrame") -> None:
        """Takes the next frame."""
        self._held.append((frame.pts, frame.rgb))
        if len(self._held) == self._before + CHUNK + MARGIN:
            self._read(CHUNK)

    def finish(self) -> Boundaries:
        """All boundaries found."""
        if len(self._held) > self._before:
            self._read(len(self._held) - self._before)
        read = self._log.read()
        found = boundaries(read["chances"], read["answers"], np.exp(read["log_spread"]), self._settings)
        sure, suspected = (in_ticks(spans, read["pts"]) for spans in found)
        is_brief = len(read) <= REACH  # too few to suspect anything: most of what is compared is carried on
        return replace(sure, suspected_pts=[] if is_brief else suspected.transitions_pts)

    def _read(self, num_frames: int) -> None:
        """Reads the next frames, with all that are held around them."""
        thumbnails = np.stack([thumbnail for _, thumbnail in self._held])
        numbers = features(prolonged(thumbnails, REACH))
        answers = np.full((len(thumbnails), 2), np.nan, np.float32)
        chances = self._reader.read(numbers, answers)
        doubts = doubtful(chances, self._settings.doubt)
        for start, end in doubts:
            answers[start:end] = self._ask(thumbnails, start, end)
        if doubts:
            chances = self._reader.read(numbers, answers)
        readings = np.empty(len(thumbnails), READING)
        readings["pts"] = [pts for pts, _ in self._held]
        readings["chances"], readings["answers"], readings["log_spread"] = chances, answers, numbers[:, SPREAD]
        done = self._before + num_frames
        self._log.extend(readings[self._before : done])
        self._before = min(MARGIN, done)
        self._held = self._held[done - self._before :]
        trim_heap()  # of a look megabytes of pieces stay, which come to tens over hours

    def _ask(self, thumbnails: np.ndarray, start: int, end: int) -> np.ndarray:
        from curation.shot_network import shot_network

        network = shot_network(self._settings.device, self._settings.threads)
        context = max(CONTEXT, (SHORTEST_LOOK - (end - start) + 1) // 2)
        around = np.clip(np.arange(start - context, end + context), 0, len(thumbnails) - 1)
        return network.probabilities(thumbnails[around][None])[0, context:-context]


def doubtful(chances: np.ndarray, doubt: tuple[float, float], widened: int = 3) -> Spans:
    """Half-open spans of frames where something may or may not happen, each at most LONGEST_LOOK long.

    Args:
        chances: float32 (num_frames, 2), of `ShotReader.read`.
        doubt: a run of frames above the first is in doubt, unless it holds one above the second.
        widened: frames added on both sides.
    """
    likeliest = chances.max(axis=1)
    flags = np.zeros(len(chances), bool)
    for start, end in runs(likeliest > doubt[0]):
        if likeliest[start:end].max() < doubt[1]:
            flags[max(0, start - widened) : end + widened] = True
    return [
        (first, min(first + LONGEST_LOOK, end))
        for start, end in runs(flags)
        for first in range(start, end, LONGEST_LOOK)
    ]


def boundaries(chances: np.ndarray, answers: np.ndarray, spread: np.ndarray, settings: Hybrid) -> tuple[Spans, Spans]:
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
