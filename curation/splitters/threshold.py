"""PySceneDetect's ThresholdDetector: finds where the picture goes dark, and comes back."""

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from curation.scene_detect import timecodes
from curation.splitter import Boundaries, Detector, Splitter

if TYPE_CHECKING:
    from scenedetect import ThresholdDetector

    from curation.small_frame import SmallFrame


@dataclass(frozen=True)
class Threshold(Splitter):
    """Fades through black as spans, from the first dark frame to the first that is not; finds no other cut."""

    threshold: float = 12.0
    """Mean of red, green and blue below which a frame is dark, 0..255."""
    min_scene_s: float = 0.3
    """Fades that begin closer than this to the end of the one before are passed over."""

    def build(self, time_base: Fraction, fps: Fraction) -> Detector:
        """A PySceneDetect detector fed with true times."""
        from scenedetect import ThresholdDetector

        return DarkSpans(ThresholdDetector(threshold=self.threshold, min_scene_len=self.min_scene_s), time_base, fps)


class DarkSpans(Detector):
    """Tells the whole dark span where PySceneDetect tells a point in it.

    That point is calculated from a frame number and an average rate, so on variable rates it would be wrong.
    """

    def __init__(self, detector: "ThresholdDetector", time_base: Fraction, fps: Fraction) -> None:
        self._timecode, self._detector = timecodes(time_base, fps), detector
        self._first_pts: int | None = None
        self._last_pts = 0
        self._spans: list[tuple[int, int]] = []

    def process(self, frame: "SmallFrame") -> None:
        """Takes the next frame."""
        if self._first_pts is None:
            self._first_pts = frame.pts
        self._last_pts = frame.pts
        dark_since = self._dark_since()
        if self._detector.process_frame(self._timecode(frame.pts - self._first_pts), frame.bgr):
            self._spans.append((dark_since, frame.pts))

    def finish(self) -> Boundaries:
        """All dark spans; the last one may reach to the end."""
        if self._first_pts is not None and self._detector.last_fade["type"] == "out":
            self._spans.append((self._dark_since(), self._last_pts + 1))
        return Boundaries(cuts_pts=[], transitions_pts=self._spans)

    def _dark_since(self) -> int:
        last_fade = self._detector.last_fade["frame"]
        return (self._first_pts or 0) + (last_fade.pts if last_fade else 0)
