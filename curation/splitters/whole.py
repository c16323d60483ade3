"""Finds no boundary: for videos that are cut already, or of which the input table names the spans."""

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from curation.splitter import Boundaries, Detector, Splitter

if TYPE_CHECKING:
    from curation.small_frame import SmallFrame


@dataclass(frozen=True)
class Whole(Splitter):
    """The whole file, or each span of the input table, is one scene."""

    def build(self, time_base: Fraction, fps: Fraction) -> Detector:
        """A detector that looks at nothing."""
        return WholeDetector()


class WholeDetector(Detector):
    """Finds nothing."""

    def process(self, frame: "SmallFrame") -> None:
        """Takes the next frame."""

    def finish(self) -> Boundaries:
        """No boundaries."""
        return Boundaries(cuts_pts=[], transitions_pts=[])
