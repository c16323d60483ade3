"""Makes decoded frames ready to be encoded: cropped, upright, of one size, `yuv420p` of limited range.

Frames stay YUV on the way where they are.
"""

from math import ceil, floor
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from shards.frame import Frame, Orientation
from shards.planes import planes

PIXEL_FORMAT = "yuv420p"
SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
ROUNDING = 1e-3  # of two pixels: shares come as 32-bit numbers


class Crop(NamedTuple):
    """The part of a picture that is kept, in shares of its displayed width and height from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def stored(self, orientation: Orientation) -> "Crop":
        """The same part of a picture as it is stored."""
        left, top, right, bottom = self
        for _ in range(orientation.turn_deg // 90):  # a quarter counterclockwise takes (x, y) to (y, 1 - x)
            left, top, right, bottom = top, 1 - right, bottom, 1 - left
        return Crop(1 - right, top, 1 - left, bottom) if orientation.mirrored else Crop(left, top, right, bottom)

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom pixel, the last two exclusive: even, and inside; at least two pixels remain."""
        left, right = _even_inside(self.left, self.right, width)
        top, bottom = _even_inside(self.top, self.bottom, height)
        return left, top, right, bottom


def _even_inside(low: float, high: float, size: int) -> tuple[int, int]:
    first = min(max(0, ceil(low * size / 2 - ROUNDING) * 2), max(0, (size - 2) // 2 * 2))
    return first, max(first + 2, min(floor(high * size / 2 + ROUNDING), size // 2) * 2)


def packed_size(size: tuple[int, int], short_side_px: int | None) -> tuple[int, int]:
    """Width and height of a packed video: scaled to the short side, never enlarged, even, at least two pixels.

    Args:
        size: width and height as displayed, pixels.
        short_side_px: the short side wanted; None keeps the size.
    """
    scale = min(1.0, short_side_px / min(size)) if short_side_px else 1.0
    width, height = (max(2, int(side * scale / 2 + 1e-9) * 2) for side in size)
    return width, height


class Fit:
    """Brings the frames of a clip to the size of the first, scaled to the short side; or to a size of its own."""

    def __init__(
        self,
        first: Frame,
        short_side_px: int | None = None,
        crop: Crop | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Prepares, and reads no pixel.

        Args:
            first: the clip's first frame.
            short_side_px: as in `packed_size`.
            crop: what is kept; None keeps all.
            size: width and height, even; of what is kept the middle with this aspect is scaled to it. None goes by
                `short_side_px`.
        """
        shown = _cropped_size(first, crop) if crop else first.size
        if size and shown != size:
            crop = _middle(crop or Crop(0, 0, 1, 1), shown, size)
        self._crop = crop
        self._converter, self._scaler = VideoReformatter(), VideoReformatter()
        self.size = size or packed_size(shown, short_side_px)
        """Width and height of the packed video, pixels."""

    def __call__(self, frame: Frame) -> av.VideoFrame:
        """The frame as it is encoded; its time is not set."""
        raw = frame.raw
        if self._crop:
            box = self._crop.stored(frame.orientation).box(raw.width, raw.height)
            raw = _cut_out(_converted(self._converter, raw, raw.width, raw.height), box)
        width, height = reversed(self.size) if frame.rotation_deg % 180 else self.size
        return _upright(_converted(self._scaler, raw, width, height), frame)


def _middle(crop: Crop, shown: tuple[int, int], size: tuple[int, int]) -> Crop:
    """The largest part around the middle of a crop, `shown` pixels large, that has the aspect of a size."""
    scale = max(size[0] / shown[0], size[1] / shown[1])
    lost = [(1 - side / (scale * whole)) / 2 for side, whole in zip(size, shown, strict=True)]
    left, top = lost[0] * (crop.right - crop.left), lost[1] * (crop.bottom - crop.top)
    return Crop(crop.left + left, crop.top + top, crop.right - left, crop.bottom - top)


def _cropped_size(frame: Frame, crop: Crop) -> tuple[int, int]:
    """Width and height as displayed of what is kept, pixels."""
    left, top, right, bottom = crop.stored(frame.orientation).box(frame.raw.width, frame.raw.height)
    width, height = max(1, round((right - left) * frame.pixel_aspect)), bottom - top
    return (height, width) if frame.rotation_deg % 180 else (width, height)


def _converted(scaler: VideoReformatter, raw: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    pixels = raw.format
    return scaler.reformat(
        raw,
        width,
        height,
        format=PIXEL_FORMAT,
        interpolation=SCALING,
        # RGB has no matrix of its own: take the one that players assume where none is told, and tell it.
        dst_colorspace=Colorspace.ITU601 if pixels.is_rgb or pixels.has_palette else None,
        dst_color_range=ColorRange.MPEG,
        threads=1,
    )


def _cut_out(picture: av.VideoFrame, box: tuple[int, int, int, int]) -> av.VideoFrame:
    left, top, right, bottom = box
    luma, *chroma = planes(picture)[0]
    half = [plane[top // 2 : bottom // 2, left // 2 : right // 2] for plane in chroma]
    return _assembled([luma[top:bottom, left:right], *half], picture)


def _upright(picture: av.VideoFrame, frame: Frame) -> av.VideoFrame:
    """The picture mirrored and turned as the frame demands, plane by plane."""
    if frame.orientation == Orientation():
        return picture
    return _assembled([frame.upright(plane) for plane in planes(picture)[0]], picture)


def _assembled(parts: list[np.ndarray], like: av.VideoFrame) -> av.VideoFrame:
    """A picture of these planes, luma first, even sizes; its colours mean what they do in the other."""
    stacked = np.concatenate([plane.ravel() for plane in parts], dtype=np.uint8).reshape(-1, parts[0].shape[1])
    picture = av.VideoFrame.from_ndarray(stacked, format=PIXEL_FORMAT)
    for tag in ("colorspace", "color_range", "color_trc", "color_primaries"):
        setattr(picture, tag, getattr(like, tag))
    return picture
