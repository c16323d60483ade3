"""TransNetV2: a small network that has learned to see cuts and gradual transitions."""

from array import array
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from curation.splitter import Boundaries, Detector, Splitter

if TYPE_CHECKING:
    from curation.shot_network import ShotNetwork
    from curation.small_frame import SmallFrame

WINDOW, STEP = 100, 50
CONTEXT = (WINDOW - STEP) // 2
LONGEST_CUT = 3  # frames: a hard cut smeared by coding, or by a shutter that was open


@dataclass(frozen=True)
class TransNet(Splitter):
    """Hard cuts and gradual transitions, the latter as spans; about 20 ms a frame on one core."""

    threshold: float = 0.5
    """Chance of a change at which a frame makes a boundary, 0..1."""
    span_threshold: float = 0.3
    """Chance of belonging to a transition down to which a boundary is widened to a span, 0..1."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the network runs; `auto` takes a GPU when there is one."""
    threads: int = 1
    """Of torch, on the CPU. Part of the result: other numbers of threads change the last bits."""
    batch_windows: int = 1
    """Windows of 100 frames looked at together; more only pays on a GPU."""

    def build(self, time_base: Fraction, fps: Fraction) -> Detector:
        """A detector whose network is loaded once a process."""
        from curation.shot_network import shot_network

        return TransNetDetector(self, shot_network(self.device, self.threads))

    def weights(self) -> list[Path]:
        """The network's."""
        from curation.shot_network import weights_file

        return [weights_file()]


class TransNetDetector(Detector):
    """Slides a window of 100 frames by 50, as its authors do; keeps `batch_windows` of them, and 16 bytes a frame."""

    def __init__(self, settings: TransNet, network: "ShotNetwork") -> None:
        self._settings, self._network = settings, network
        self._held: list[np.ndarray] = []
        self._pts, self._chances = array("q"), array("f")

    def process(self, frame: "SmallFrame") -> None:
        """Takes the next frame."""
        if not self._pts:
            self._held = [frame.rgb] * CONTEXT
        self._pts.append(frame.pts)
        self._held.append(frame.rgb)
        if len(self._held) == WINDOW + STEP * (self._settings.batch_windows - 1):
            self._look()

    def finish(self) -> Boundaries:
        """All boundaries found."""
        if self._pts:
            while len(self._chances) < 2 * len(self._pts):
                while (len(self._held) - WINDOW) % STEP or len(self._held) < WINDOW:
                    self._held.append(self._held[-1])
                self._look()
        chances = np.frombuffer(self._chances, np.float32).reshape(-1, 2)[: len(self._pts)]
        pts = np.frombuffer(self._pts, np.int64)
        return in_ticks(boundaries(chances, self._settings.threshold, self._settings.span_threshold), pts)

    def _look(self) -> None:
        starts = range(0, len(self._held) - WINDOW + 1, STEP)
        windows = np.stack([np.stack(self._held[start : start + WINDOW]) for start in starts])
        found = self._network.probabilities(windows)[:, CONTEXT : CONTEXT + STEP]
        self._chances.frombytes(found.tobytes())
        self._held = self._held[STEP * len(starts) :]


def boundaries(chances: np.ndarray, threshold: float, span_threshold: float) -> list[tuple[int, int]]:
    """Reads the network's answer.

    Args:
        chances: float32 (num_frames, 2), see `ShotNetwork.probabilities`.
        threshold: a run of frames above it, in the first column, is a boundary.
        span_threshold: the run is widened as far as the second column is above it.

    Returns:
        Half-open spans of frames, sorted and apart; one that is empty is a hard cut before that frame.
    """
    found: list[tuple[int, int]] = []
    wide = chances.max(axis=1) > span_threshold
    for start, end in runs(chances[:, 0] > threshold):
        peak = start + int(chances[start:end, 0].argmax())
        first, last = _widened(wide, peak)
        span = (first, last + 1) if last - first + 1 > LONGEST_CUT else (peak + 1, peak + 1)
        if not found or span[0] > found[-1][1]:
            found.append(span)
    return [span for span in found if span[1] > 0 and span[0] < len(chances)]


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Half-open spans in which a bool array (num_frames,) is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _widened(flags: np.ndarray, frame: int) -> tuple[int, int]:
    """First and last frame of the true run around a frame."""
    first = last = frame
    while first > 0 and flags[first - 1]:
        first -= 1
    while last + 1 < len(flags) and flags[last + 1]:
        last += 1
    return first, last


def in_ticks(spans: list[tuple[int, int]], pts: np.ndarray) -> Boundaries:
    """Boundaries at the times of their frames.

    Args:
        spans: half-open spans of frames; empty ones are hard cuts.
        pts: int64 (num_frames,), times of all frames.
    """
    ends = [*pts.tolist(), int(pts[-1]) + 1] if len(pts) else []
    cuts = [ends[start] for start, end in spans if start == end]
    return Boundaries(cuts, [(ends[start], ends[end]) for start, end in spans if start < end])
