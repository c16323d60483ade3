"""The interface of cut detectors; one detector a file under `splitters/`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from curation.small_frame import SmallFrame


@dataclass(frozen=True)
class Boundaries:
    """What a detector found, in ticks of the video's time base."""

    cuts_pts: list[int]
    """First frame of each new scene, sorted; a fade may end in one, so some lie inside a transition."""
    transitions_pts: list[tuple[int, int]]
    """Gradual transitions as half-open spans, sorted, apart from each other."""
    suspected_pts: list[tuple[int, int]] = field(default_factory=list)
    """Half-open spans, sorted, that are too doubtful to count as transitions, and yet not worth the risk in a clip."""


class Detector(ABC):
    """State of a detector inside one video."""

    @abstractmethod
    def process(self, frame: "SmallFrame") -> None:
        """Takes the next frame in presentation order."""

    @abstractmethod
    def finish(self) -> Boundaries:
        """Everything found, once there are no more frames."""


class Splitter(ABC):
    """A kind of detector; a frozen dataclass whose fields are its YAML."""

    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Where its model runs; `auto` takes a GPU when there is one."""

    @abstractmethod
    def build(self, time_base: Fraction, fps: Fraction) -> Detector:
        """A detector for one video.

        Args:
            time_base: seconds per tick.
            fps: the rate its header claims; true times come with the frames.
        """

    def weights(self) -> list[Path]:
        """Files whose content decides what is found: a table remembers their hashes."""
        return []
