"""Feeds PySceneDetect's detector objects with our small frames and their true times."""

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from curation.splitter import Boundaries, Detector

if TYPE_CHECKING:
    from scenedetect.common import FrameTimecode
    from scenedetect.detector import SceneDetector

    from curation.small_frame import SmallFrame


def timecodes(time_base: Fraction, fps: Fraction) -> "Callable[[int], FrameTimecode]":
    """Makes PySceneDetect's notion of a time from ticks, not negative, of a time base."""
    from scenedetect.common import FrameTimecode, Timecode

    return lambda pts: FrameTimecode(Timecode(pts=pts, time_base=time_base), fps=fps)


class SceneDetectDetector(Detector):
    """One PySceneDetect detector over the frames of a video; what it finds are hard cuts."""

    def __init__(self, detector: "SceneDetector", time_base: Fraction, fps: Fraction) -> None:
        self._timecode, self._detector = timecodes(time_base, fps), detector
        self._first_pts: int | None = None
        self._last_pts = 0
        self._cuts: list[int] = []

    def process(self, frame: "SmallFrame") -> None:
        """Takes the next frame."""
        if self._first_pts is None:
            self._first_pts = frame.pts
        self._last_pts = frame.pts - self._first_pts  # PySceneDetect refuses negative times
        self._note(self._detector.process_frame(self._timecode(self._last_pts), frame.bgr))

    def finish(self) -> Boundaries:
        """All cuts found."""
        if self._first_pts is not None:
            self._note(self._detector.post_process(self._timecode(self._last_pts)))
        first = self._first_pts or 0
        return Boundaries(cuts_pts=sorted({first + pts for pts in self._cuts if pts > 0}), transitions_pts=[])

    def _note(self, found: list) -> None:
        self._cuts += [timecode.pts for timecode in found]
