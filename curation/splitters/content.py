"""PySceneDetect's ContentDetector: a cut is a frame that differs much from the one before."""

from dataclasses import dataclass
from fractions import Fraction

from curation.scene_detect import SceneDetectDetector
from curation.splitter import Detector, Splitter


@dataclass(frozen=True)
class Content(Splitter):
    """Hard cuts by change of hue, saturation and luma; finds no gradual transitions."""

    threshold: float = 27.0
    """Mean change of hue, saturation and luma that makes a cut, 0..255."""
    min_scene_s: float = 0.6
    """Of cuts closer together than this, the first and the last are kept."""

    def build(self, time_base: Fraction, fps: Fraction) -> Detector:
        """A PySceneDetect detector fed with true times."""
        from scenedetect import ContentDetector

        return SceneDetectDetector(
            ContentDetector(threshold=self.threshold, min_scene_len=self.min_scene_s), time_base, fps
        )
