"""One picture that a user named: where its bytes and its words lie."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OTHER_PICTURES = ("avif", "bmp", "gif", "heic", "heif", "jp2", "jxl", "tif", "tiff")
"""Suffixes of pictures that no sample holds: they are told as failures, where other files are no pictures at all."""


@dataclass(frozen=True)
class Piece:
    """Bytes of a file."""

    file: str
    """A local path, or an address."""
    offset_bytes: int = 0
    size_bytes: int | None = None
    """None: all of the file."""


@dataclass(frozen=True)
class Entry:
    """A picture, or what stands for pictures that cannot be found."""

    path: str
    """How a sample tells where it is from: the file, or `<tar>!<member>`."""
    picture: Piece
    words: tuple[tuple[Piece, str], ...] = ()
    """Texts and JSON about it, each with what it is, which is also the source of its captions: sidecar, txt, json."""
    row: Mapping[str, Any] = field(default_factory=dict)
    """What a table says of it; see `words.of_row`."""
    source: str = ""
    """Of a caption of `row` that has none of its own."""
    error: str | None = None
    """Why it is not even looked at."""


def other_format(kind: str) -> str | None:
    """Why a picture with that suffix, without its dot, is not even looked at; None where it is."""
    return f"of a format that is not packed: {kind}" if kind in OTHER_PICTURES else None
