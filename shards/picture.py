"""What a picture is, told from its bytes, which may be damaged or made by an enemy.

Only JPEG, PNG and WebP are read, none of more than `MAX_PIXELS` pixels, and no animation. Colour profiles are left out.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageOps

FORMATS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp"}
"""Pillow's name of a format -> extension of a sample. MPO is a JPEG with further pictures behind, of which phones make
many; as every viewer does, its first is taken."""
MAX_PIXELS = 89_478_485  # a quarter of a GiB as RGB, which is also where Pillow begins to warn
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation -> what brings the stored picture upright; those from 5 on swap width and height."""


@dataclass(frozen=True)
class PictureInfo:
    """What the head of a picture tells."""

    extension: str
    """Its true format, one of `sample.PICTURES`, whatever its name says."""
    width: int
    """As displayed, in pixels."""
    height: int
    """As displayed, in pixels."""


def look(data: bytes, whole: bool = False) -> PictureInfo:
    """Reads the head. Of a PNG without EXIF there it reads all, since that may stand at the end as well.

    Args:
        data: of a file.
        whole: whether all of it is decoded, to prove that it can be.

    Raises:
        ValueError: it is none of these pictures, in words that can be counted: what comes after ": " differs.
    """
    with _opened(data) as image:
        if whole:
            image.load()
        width, height = image.size
        if _orientation(image) >= 5:
            width, height = height, width
        return PictureInfo(FORMATS[image.format or ""], width, height)


def fitted(data: bytes, width: int, height: int) -> np.ndarray:
    """A picture as displayed, on white where it is transparent, scaled to cover a size, the middle cut out.

    Args:
        data: of a JPEG, PNG or WebP file.
        width: in pixels.
        height: in pixels.

    Returns:
        uint8 (height, width, 3), RGB.

    Raises:
        ValueError: as `look`.
    """
    with _opened(data) as image:
        side = 2 * max(width, height)
        image.draft(None, (side, side))  # a JPEG is decoded at a fraction of its size
        turn = UPRIGHT.get(_orientation(image))
        upright = image if turn is None else image.transpose(turn)
        flat = _as_rgb(upright)
        return np.array(ImageOps.fit(flat, (width, height), Image.Resampling.LANCZOS))


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # gray of 16 bits, of which Pillow would keep the lowest 8
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 (upright) to 8; 1 where it is broken, as viewers do."""
    if image.format == "PNG" and "exif" not in image.info:
        image.load()  # `getexif` would do so too, and damage shall not be taken for broken EXIF
    try:
        found = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # whatever broken tags make their reader raise
        return 1
    return found if isinstance(found, int) and found in UPRIGHT else 1


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """The picture, its pixels not decoded yet; whatever damaged data make Pillow raise becomes a ValueError."""
    try:
        with _quiet(), Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            if image.format not in FORMATS:
                raise Image.UnidentifiedImageError
            if image.width * image.height > MAX_PIXELS:
                raise _Refused(f"more than {MAX_PIXELS} pixels: {image.width}x{image.height}")
            if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
                raise _Refused("an animation")
            yield image
    except (_Refused, MemoryError):
        raise
    except Image.UnidentifiedImageError as error:
        raise _Refused("no JPEG, PNG or WebP picture") from error
    except Image.DecompressionBombError as error:
        raise _Refused(f"more than {MAX_PIXELS} pixels: {error}") from error
    except Exception as error:
        raise _Refused(f"does not decode: {error or type(error).__name__}") from error


class _Refused(ValueError):
    """A picture is not taken; nothing else that is raised may pass for that."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns of each picture that has many pixels or odd EXIF: the one is refused here, the other no fault."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
