"""A cheap look at every frame, and TransNetV2 only where that leaves doubt; the default."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from curation.dimming import UNLIKENESS, dimmings
from curation.heap import trim_heap
from curation.prolonged import prolonged
from curation.row_log import RowLog
from curation.shot_boundaries import Spans, boundaries, without
from curation.shot_features import NAMES, REACH, SMALLEST, features
from curation.splitter import Boundaries, Detector, Splitter
from curation.splitters.transnet import in_ticks, runs

if TYPE_CHECKING:
    from curation.shot_reader import ShotReader
    from curation.small_frame import SmallFrame

CHUNK = 768  # frames read at a time
MARGIN = 96  # more on each side: what a reading depends on
# Frames on each side of a doubt that TransNetV2 sees: windows of 48 gave its answers of 100 within 0.016 on average.
CONTEXT = 18
LONGEST_LOOK = 64  # frames of doubt that it is asked about at once
SHORTEST_LOOK = 56  # frames that it sees at least: looks of one size take one amount of memory
MEASURED = ("spread", "contrast", UNLIKENESS)
READING = np.dtype(
    [
        ("pts", np.int64),
        ("chances", np.float32, 2),
        ("answers", np.float32, 2),
        *((name, np.float32) for name in MEASURED),
    ]
)


@dataclass(frozen=True)
class Hybrid(Splitter):
    """Hard cuts, and gradual transitions as spans."""

    cut_threshold: float = 0.9
    """Chance from which a frame is the first after a cut, 0..1; chosen on rendered films."""
    transition_threshold: float = 0.95
    """Chance from which a run of frames is a transition, 0..1; chosen on edited footage, benchmarks/edited.json."""
    suspicion_threshold: float = 0.5
    """Chance from which a run of frames is kept out of clips since it may be a transition, 0..1; fades of
    still pictures are suspected besides. Nothing is suspected in files of 16 frames and fewer. 1 suspects nothing."""
    span_threshold: float = 0.2
    """Chance down to which a transition is widened, 0..1."""
    span_margin: int = 4
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

        return HybridDetector(self, shot_reader(), time_base)

    def weights(self) -> list[Path]:
        """Both networks'."""
        from curation.shot_network import weights_file
        from curation.shot_reader import WEIGHTS

        return [WEIGHTS, weights_file()]


class HybridDetector(Detector):
    """Keeps the thumbnails of at most CHUNK + 2 * MARGIN frames, and on disk 36 bytes of every frame."""

    def __init__(self, settings: Hybrid, reader: "ShotReader", time_base: Fraction) -> None:
        self._settings, self._reader, self._tick_s = settings, reader, float(time_base)
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
        sure, likely = boundaries(read["chances"], read["answers"], np.exp(read["spread"]), self._settings)
        found, suspected = (in_ticks(spans, read["pts"]) for spans in (sure, self._suspected(read, likely, sure)))
        return replace(found, suspected_pts=suspected.transitions_pts)

    def _suspected(self, read: np.ndarray, likely: Spans, sure: Spans) -> Spans:
        """What is likely a transition, and fades of still pictures, as far as they are not sure."""
        if self._settings.suspicion_threshold == 1 or len(read) <= REACH:
            return []  # of so few frames most of what is compared is carried on
        contrast = np.exp(read["contrast"]) - SMALLEST
        fades = dimmings(contrast, read[UNLIKENESS], read["pts"] * self._tick_s)
        margin = self._settings.span_margin
        return without(likely + [(start - margin, end + margin) for start, end in fades], sure, len(read))

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
        readings["chances"], readings["answers"] = chances, answers
        for name in MEASURED:
            readings[name] = numbers[:, NAMES.index(name)]
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
