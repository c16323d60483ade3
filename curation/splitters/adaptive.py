"""PySceneDetect's AdaptiveDetector: a cut is a frame whose change stands out from its neighbours'."""

from dataclasses import dataclass
from fractions import Fraction

from curation.scene_detect import SceneDetectDetector
from curation.splitter import Detector, Splitter


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
