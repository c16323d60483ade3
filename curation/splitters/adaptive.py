"""PySceneDetect's AdaptiveDetector: a cut is a frame whose change stands out from its neighbours'."""

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from curation.splitter import Boundaries, Detector, Splitter

if TYPE_CHECKING:
    from curation.small_frame import SmallFrame


@dataclass(frozen=True)
class Adaptive(Splitter):
    """Hard cuts by change of hue, saturation and luma against a rolling mean; finds no gradual transitions."""

    threshold: float = 3.0
    """Ratio of a frame's change to the mean change around it that makes a cut."""
    window_frames: int = 2
    """Frames on each side that make the mean."""
    min_change: float = 15.0
    """Smallest change that can be a cut, 0..255."""
    min_scene_s: float = 0.3
    """Cuts closer than this to the one before are passed over."""

    def build(self, time_base: Fraction, fps: Fraction) -> Detector:
        """A PySceneDetect detector fed with true times."""
        from scenedetect import AdaptiveDetector

        detector = AdaptiveDetector(
            adaptive_threshold=self.threshold,
            min_scene_len=self.min_scene_s,
            window_width=self.window_frames,
            min_content_val=self.min_change,
        )
        return SceneDetectDetector(detector, time_base, fps)


class SceneDetectDetector(Detector):
    """Feeds a PySceneDetect detector object with our frames and pts."""

    def __init__(self, detector, time_base: Fraction, fps: Fraction) -> None:
        from scenedetect.common import FrameTimecode, Timecode

        self._timecode = lambda pts: FrameTimecode(Timecode(pts=pts, time_base=time_base), fps=fps)
        self._detector = detector
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
