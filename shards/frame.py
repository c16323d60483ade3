"""One decoded frame: its time, its displayed size, and its picture upright. Planes are in `planes.py`."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import atan2, degrees
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.video.reformatter import Interpolation, VideoReformatter

HDR_TRANSFERS = {16, 18}
"""libav's numbers of the transfer curves PQ (SMPTE ST 2084) and HLG (ARIB STD-B67)."""


class Scalers:
    """The scalers of a video, one a purpose: to set one up anew costs more than to scale a frame."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], VideoReformatter] = {}

    def scale(self, raw: av.VideoFrame, size: tuple[int, int], pixel_format: str, interpolation: str) -> np.ndarray:
        """The stored picture as uint8 (height, width[, 3]); size is width and height in pixels."""
        scaler = self._of.setdefault((pixel_format, interpolation), VideoReformatter())
        flags = Interpolation[interpolation] | Interpolation.BITEXACT
        if size != (raw.width, raw.height):  # else each pixel is converted by itself; this would blend its colour
            flags |= Interpolation.ACCURATE_RND
        return scaler.reformat(raw, *size, format=pixel_format, interpolation=flags, threads=1).to_ndarray()


@dataclass(frozen=True)
class Orientation:
    """What brings a stored picture upright: first the mirror, then the turn."""

    mirrored: bool = False
    """Left and right are to be swapped."""
    turn_deg: int = 0
    """Clockwise: 0, 90, 180 or 270."""


def orientation(matrix: Sequence[int]) -> Orientation:
    """The mirror and turn of a display matrix, rounded to a quarter turn; none where the matrix flattens the picture.

    Args:
        matrix: libav's nine numbers a, b, u, c, d, v, x, y, w, which take (x, y) to (ax + cy, bx + dy), y downwards.
    """
    a, b, _, c, d, *_ = matrix
    area = a * d - b * c
    if not area:
        return Orientation()
    return Orientation(mirrored=area < 0, turn_deg=round(degrees(atan2(-c, d)) / 90) % 4 * 90)


@dataclass(frozen=True)
class Frame:
    """One decoded frame."""

    pts: int
    """Presentation time in ticks of the video's time base; strictly rising within a video."""
    raw: av.VideoFrame
    pixel_aspect: Fraction
    """Width over height of one stored pixel."""
    scalers: Scalers = field(default_factory=Scalers, repr=False, compare=False)
    """Shared by the frames of a video."""

    @cached_property
    def orientation(self) -> Orientation:
        """What brings the stored picture upright."""
        # Not its `side_data`: that and the frame hold each other, and with it megabytes until garbage is collected.
        notes: Any = SideDataContainer(self.raw)  # type: ignore[call-arg]  # its stub knows no argument
        try:
            return orientation(struct.unpack("=9i", bytes(notes["DISPLAYMATRIX"])))
        except KeyError:
            return Orientation()

    @property
    def rotation_deg(self) -> int:
        """Clockwise turn that brings the stored picture, mirrored where it must be, upright: 0, 90, 180 or 270."""
        return self.orientation.turn_deg

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels as displayed: pixel aspect and rotation applied."""
        width, height = max(1, round(self.raw.width * self.pixel_aspect)), self.raw.height
        return (height, width) if self.rotation_deg % 180 else (width, height)

    @property
    def has_alpha(self) -> bool:
        """Whether its pixel format has an alpha channel."""
        return any(component.is_alpha for component in self.raw.format.components)

    @property
    def is_hdr(self) -> bool:
        """Whether its values stand for more light than a common screen gives, by its transfer curve."""
        return int(self.raw.color_trc) in HDR_TRANSFERS

    def image(self, width: int, height: int, pixel_format: str, interpolation: str = "AREA") -> np.ndarray:
        """The upright picture at the given display size: uint8 (height, width[, 3]).

        Args:
            width: pixels as displayed.
            height: pixels as displayed.
            pixel_format: `rgb24`, `bgr24` or `gray`.
            interpolation: a name of libswscale's methods.
        """
        turned = self.rotation_deg % 180 != 0
        stored = (height, width) if turned else (width, height)
        return self.upright(self.scalers.scale(self.raw, stored, pixel_format, interpolation))

    def upright(self, picture: np.ndarray) -> np.ndarray:
        """A picture (H, W, ...) that lies as this frame is stored, as it is to be displayed."""
        if self.orientation == Orientation():
            return picture
        picture = picture[:, ::-1] if self.orientation.mirrored else picture
        return np.ascontiguousarray(np.rot90(picture, -self.rotation_deg // 90))  # numpy turns counterclockwise

    def rgb(self, width: int, height: int) -> np.ndarray:
        """The upright picture: uint8 (height, width, 3) RGB."""
        return self.image(width, height, "rgb24")
