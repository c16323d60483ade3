"""Examples from a folder of pictures with sidecar captions, which a user brings for the stage that trains on images.

Pictures are untrusted: only JPEG, PNG and WebP are decoded, and none of more pixels than `MAX_PIXELS`.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import ExifTags, Image, ImageOps

from training.buckets import Bucket, Plan
from training.conditioning import Conditioning
from training.sources import Example, Source

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 89_478_485  # a quarter of a GiB as RGB, which is also where Pillow begins to warn
TURNED = {5, 6, 7, 8}  # values of EXIF's orientation that swap width and height


class ImageSource(Source):
    """The pictures below a folder, by relative path; `a/b.jpg` has its caption in `a/b.txt`, in UTF-8."""

    def __init__(
        self, folder: Path, bucket: Bucket, conditioning: Conditioning, name: str = "", caption: bool = True
    ) -> None:
        """Plans: reads every caption and the head of every picture.

        Args:
            folder: searched with all its subfolders.
            bucket: of pictures.
            conditioning: all its numbers are 0 for pictures.
            name: of the folder in messages; its path by default.
            caption: whether a picture needs a caption; without, none is read.

        Raises:
            ValueError: there is no such folder, the bucket is one of videos, or nothing is usable.
        """
        if not folder.is_dir():
            raise ValueError(f"there is no folder of pictures {folder}")
        if not bucket.is_image:
            raise ValueError(f"{folder} holds pictures; they fit only a bucket of one frame, not {bucket}")
        self.name, self._bucket, self._num_micro = name or str(folder), bucket, len(conditioning.micro)
        self._folder, self._paths, self._captioned = folder, _pictures_below(folder), caption
        reasons = {i: _why_skipped(folder / path, bucket, caption) for i, path in enumerate(self._paths)}
        keys = pa.array(map(_key, self._paths), pa.string())
        self.plan = Plan.of_rows(self.name, keys, {i: reason for i, reason in reasons.items() if reason})

    def key(self, i: int) -> str:
        """Path of usable picture number `i` in the folder."""
        return _key(self._paths[self.plan.usable[i]])

    def read(self, i: int, rng: np.random.Generator) -> Example:
        """The middle of a picture that covers the bucket; takes nothing from `rng`.

        Raises:
            ValueError: "cannot be opened: ..." or "no caption: ...".
        """
        path = self._folder / self._paths[self.plan.usable[i]]
        try:
            pixels = _fitted(path, self._bucket)
        except _PICTURE_ERRORS as error:
            raise ValueError(f"cannot be opened: {error}") from error
        try:
            text = _caption(path) if self._captioned else ""
        except (OSError, ValueError) as error:
            raise ValueError(f"no caption: {error}") from error
        return Example(self.key(i), torch.from_numpy(pixels[None]), text, (0.0,) * self._num_micro)


# What Pillow raises on broken files; SyntaxError of PNGs whose chunks are broken.
_PICTURE_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning)


def _pictures_below(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _key(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def _caption(picture: Path) -> str:
    return picture.with_suffix(".txt").read_text(encoding="utf-8-sig").strip()


def _why_skipped(path: Path, bucket: Bucket, caption: bool) -> tuple[str, str] | None:
    """Reason and detail, or None where the picture is usable as far as its head tells."""
    try:
        with _opened(path) as image:
            width, height = image.size
            if image.getexif().get(ExifTags.Base.Orientation) in TURNED:
                width, height = height, width
    except _PICTURE_ERRORS as error:
        return "cannot be opened", _words(error, path)
    if width < bucket.width or height < bucket.height:
        return "smaller than the bucket", f"{width}x{height} pixels, the bucket has {bucket.width}x{bucket.height}"
    try:
        return None if not caption or _caption(path) else ("no caption", "its text is empty")
    except (OSError, ValueError) as error:
        return "no caption", _words(error, path.with_suffix(".txt"))


def _words(error: Exception, path: Path) -> str:
    return f"{path.name}: {getattr(error, 'strerror', None) or error}"


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The picture, its pixels not decoded yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width}x{image.height} pixels, the limit is {MAX_PIXELS}")
            yield image


def _fitted(path: Path, bucket: Bucket) -> np.ndarray:
    """Upright, on white where it is transparent, scaled to cover the bucket, the middle of it: uint8 (H, W, 3)."""
    with _opened(path) as image:
        side = 2 * max(bucket.width, bucket.height)
        image.draft(None, (side, side))  # a JPEG is decoded at a fraction of its size
        upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
    if upright.mode.startswith("I"):  # gray of 16 bits, of which Pillow would keep the lowest 8
        upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    fitted = ImageOps.fit(upright.convert("RGB"), (bucket.width, bucket.height), Image.Resampling.LANCZOS)
    return np.array(fitted)
