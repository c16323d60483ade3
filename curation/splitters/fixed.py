"""Cuts at a fixed stride, whatever the pictures show."""

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from curation.splitter import Boundaries, Detector, Splitter

if TYPE_CHECKING:
    from curation.small_frame import SmallFrame


@dataclass(frozen=True)
class Fixed(Splitter):
    """Pieces as long as the stride allows, one after the other: never longer, and shorter by less than a frame.

    The rest at the end is a piece of its own: a clip if it is long enough for one, else counted as too short. Where
    `split.max_clip_s` is below the stride, pieces are divided like any scene.
    """

    stride_s: float = 10.0
    """Length of a piece."""

    def __post_init__(self) -> None:
        if not self.stride_s > 0:
            raise ValueError("stride_s: must be above 0")

    def build(self, time_base: Fraction, fps: Fraction) -> Detector:
        """A detector that looks at times alone."""
        return FixedDetector(int(Fraction(self.stride_s) / time_base))


class FixedDetector(Detector):
    """Starts a piece with the last frame that the piece before it cannot hold to its end."""

    def __init__(self, stride_ticks: int) -> None:
        self._stride = stride_ticks
        self._start: int | None = None
        self._last = self._step = 0
        self._cuts: list[int] = []

    def process(self, frame: "SmallFrame") -> None:
        """Takes the next frame."""
        if self._start is None:
            self._start = self._last = frame.pts
            return
        self._step = frame.pts - self._last
        self._end_frame(frame.pts)
        self._last = frame.pts

    def finish(self) -> Boundaries:
        """All cuts; the last frame is taken to stand as long as the one before it."""
        self._end_frame(self._last + self._step)
        return Boundaries(cuts_pts=self._cuts, transitions_pts=[])

    def _end_frame(self, end: int) -> None:
        """The frame before `end` opens a new piece if it would make this one too long."""
        if self._start is not None and self._start < self._last and end - self._start > self._stride:
            self._start = self._last
            self._cuts.append(self._start)
