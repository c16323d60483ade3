"""Stable Video Diffusion's cascade: one cut detector at three frame rates, so that slow changes are seen too."""

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from curation.scene_detect import timecodes
from curation.scenes import joined
from curation.splitter import Boundaries, Detector, Splitter

if TYPE_CHECKING:
    from curation.small_frame import SmallFrame


@dataclass(frozen=True)
class Cascade(Splitter):
    """Hard cuts between neighbouring frames, and gradual transitions between frames further apart.

    After Blattmann et al. 2023, appendix C (arXiv 2311.15127), which says "three detectors at three frame rates" and
    no numbers. Ours were chosen on the demo corpus and on edited footage: docs/benchmarks.md, Cuts.
    """

    threshold: float = 37.0
    """Mean change of hue, saturation and luma between neighbouring frames that makes a cut, 0..255."""
    slower_fps: tuple[float, float] = (6.0, 2.0)
    """Rates of the two slower detectors."""
    slower_thresholds: tuple[float, float] = (42.0, 47.0)
    """Their thresholds, 0..255: in more time, motion alone changes more."""
    tolerance_s: float = 0.2
    """A slower detector's find this close to a faster one's is the same."""

    def build(self, time_base: Fraction, fps: Fraction) -> Detector:
        """Three PySceneDetect detectors fed with true times."""
        steps_s = [0.0, *(1 / rate for rate in self.slower_fps)]
        thresholds = (self.threshold, *self.slower_thresholds)
        levels = [
            Level(threshold, step_s, time_base, fps) for threshold, step_s in zip(thresholds, steps_s, strict=True)
        ]
        return CascadeDetector(levels, round(Fraction(self.tolerance_s) / time_base))


class Level:
    """A detector that sees a frame every so many seconds, and the spans in which it saw the picture change."""

    def __init__(self, threshold: float, step_s: float, time_base: Fraction, fps: Fraction) -> None:
        from scenedetect import ContentDetector

        self.spans: list[tuple[int, int]] = []
        """From after the last frame that was alike, to the first that was not."""
        self._detector = ContentDetector(threshold=threshold, min_scene_len=0)
        self._any_time = timecodes(time_base, fps)(0)  # asked for only by the filter of short scenes, which is off
        self._step = round(Fraction(step_s) / time_base)
        self._last_pts: int | None = None
        self._after: int | None = None  # the frame behind it

    def process(self, frame: "SmallFrame") -> None:
        """Takes the next frame, or passes over it."""
        self._after = frame.pts if self._after is None else self._after
        if self._last_pts is not None and frame.pts - self._last_pts < self._step:
            return
        if self._detector.process_frame(self._any_time, frame.bgr) and self._last_pts is not None:
            self.spans.append((self._after, frame.pts))
        self._last_pts, self._after = frame.pts, None


class CascadeDetector(Detector):
    """Unites what the levels saw, fastest first."""

    def __init__(self, levels: list[Level], tolerance: int) -> None:
        self._levels, self._tolerance = levels, tolerance

    def process(self, frame: "SmallFrame") -> None:
        """Takes the next frame."""
        for level in self._levels:
            level.process(frame)

    def finish(self) -> Boundaries:
        """Cuts of the fastest level, and what only slower ones saw as gradual transitions."""
        fastest, *slower = [level.spans for level in self._levels]
        found, gradual = list(fastest), []
        for spans in slower:
            new = [span for span in spans if not any(self._same(span, other) for other in found)]
            found += new
            gradual += new
        return Boundaries([end for _, end in fastest], joined(gradual, self._tolerance))

    def _same(self, span: tuple[int, int], other: tuple[int, int]) -> bool:
        return span[0] - self._tolerance <= other[1] and other[0] <= span[1] + self._tolerance
