"""A cut detector with planted faults: what it does to a video is told by the frame rate that the video claims."""

import ctypes
import os
import sys
import time
from dataclasses import dataclass
from fractions import Fraction

from curation.splitter import Detector, Splitter
from curation.splitters.adaptive import Adaptive


def leak() -> None:
    held = []
    while True:
        held.append(b"x" * 2**24)


def fail() -> None:
    raise KeyError("a bug that this video provokes")


FAULTS = {
    11: lambda: ctypes.string_at(0),
    12: os.abort,
    13: lambda: time.sleep(600),
    14: leak,
    15: fail,
    16: lambda: sys.exit(3),
}
"""Frames a second -> what happens in the middle of such a video."""
ENDS = {
    11: ("quarantined", "crashed: its reader was killed by SIGSEGV"),
    12: ("quarantined", "crashed: its reader was killed by SIGABRT"),
    13: ("quarantined", "hung: no frame for 10 s"),
    14: ("quarantined", "out of memory: more than 700 MB"),
    15: ("failed", "KeyError: 'a bug that this video provokes'"),
    16: ("quarantined", "crashed: its reader died with exit code 3"),
}
"""Frames a second -> status and reason, under the limits of the tests: 10 s of silence, 700 MB."""
FAULT_AT_FRAME = 5
HEALED = "FAULTY_HEALED"
"""A variable of the environment: where it is set, no video is faulty."""


@dataclass(frozen=True)
class Faulty(Splitter):
    """Adaptive, but for videos of certain frame rates; `pause_s` a frame makes work last."""

    pause_s: float = 0.0

    def build(self, time_base: Fraction, fps: Fraction) -> Detector:
        fault = None if HEALED in os.environ else FAULTS.get(round(fps))
        return FaultyDetector(Adaptive().build(time_base, fps), fault, self.pause_s)


class FaultyDetector(Detector):
    def __init__(self, sound: Detector, fault, pause_s: float) -> None:
        self._sound, self._fault, self._pause_s, self._frames = sound, fault, pause_s, 0

    def process(self, frame) -> None:
        self._frames += 1
        if self._fault is not None and self._frames == FAULT_AT_FRAME:
            self._fault()
        time.sleep(self._pause_s)
        self._sound.process(frame)

    def finish(self):
        return self._sound.finish()
