"""Reads one picture with its words, in a child process that it may kill, crash or hang without harm to others."""

import errno
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import cast

from curation.child import Child, ChildDied
from curation.child_error import ChildRaised
from curation.pictures.entry import Entry, Piece
from curation.pictures.words import NOTHING, Words, is_score, joined, of_json, of_row, of_text
from curation.stamp import SourceLost
from shards.picture import MAX_PIXELS, PictureInfo, look
from shards.places import place, reaching
from shards.sample import PICTURES
from shards.source import PATH_ERRORS

MAX_WORDS_BYTES = 2**24
ID = re.compile(r"[0-9a-f]{20}")


@dataclass(frozen=True)
class Seen:
    """What is to be known of a picture before it is packed."""

    video_id: str
    """20 hex digits of BLAKE2b over its bytes."""
    size_bytes: int
    info: PictureInfo
    words: Words


def id_of(data: bytes) -> str:
    """The id of a picture, made as that of a video is."""
    return blake2b(data, digest_size=10).hexdigest()


def look_at(entry: Entry, child: Child, max_bytes: int) -> Seen | str:
    """The picture as far as it must be known, or why it is not to be had.

    Raises:
        OSError: the disk or the network fails, or a file is gone that was listed: none of that is the picture's fault.
    """
    if entry.error:
        return entry.error
    try:
        return child.call(_look, entry, max_bytes, read=lambda answer: _believed(answer, max_bytes))
    except (ChildDied, ChildRaised) as error:
        return str(error)


def read_piece(piece: Piece, max_bytes: int) -> bytes:
    """Bytes of a file, or of a part of it.

    Raises:
        ValueError: they are too many, cut short, or lie where nothing can be read.
        SourceLost: the file is gone.
        OSError: the disk or the network fails.
    """
    if piece.size_bytes is not None and piece.size_bytes > max_bytes:
        raise ValueError(f"larger than {max_bytes} bytes: {piece.size_bytes}")
    wanted = max_bytes + 1 if piece.size_bytes is None else piece.size_bytes
    try:
        data = _read(piece, wanted)
    except FileNotFoundError as error:
        raise SourceLost(errno.ENOENT, "gone since it was listed", piece.file) from error
    except OSError as error:
        if not isinstance(place(piece.file), Path) or error.errno not in PATH_ERRORS:
            raise
        raise ValueError(f"cannot be opened: {error.strerror}") from error
    if len(data) > max_bytes:
        raise ValueError(f"larger than {max_bytes} bytes")
    if piece.size_bytes is not None and len(data) < piece.size_bytes:
        raise ValueError(f"cut short: {len(data)} of its {piece.size_bytes} bytes are there")
    return data


def _read(piece: Piece, wanted: int) -> bytes:
    where = place(piece.file)
    if isinstance(where, Path):
        with where.open("rb") as file:
            file.seek(piece.offset_bytes)
            return file.read(min(wanted, os.fstat(file.fileno()).st_size))  # it takes as much memory as it is told
    with reaching(where):
        end = None if piece.size_bytes is None else piece.offset_bytes + wanted
        if end is None and cast(int, where.fs.size(where.path)) > wanted:
            end = wanted
        return cast(bytes, where.fs.cat_file(where.path, start=piece.offset_bytes, end=end))


def _look(entry: Entry, max_bytes: int) -> dict:
    """Runs in the child; a ValueError is told as the reason, since it is the picture's own fault."""
    try:
        data = read_piece(entry.picture, max_bytes)
        info = look(data, whole=True)
        words = joined([of_row(entry.row, entry.source), *(_words(*told) for told in entry.words)])
    except ValueError as error:
        return {"error": str(error)}
    return {"video_id": id_of(data), "size_bytes": len(data), "info": vars(info), "words": words}


def _words(piece: Piece, kind: str) -> Words:
    read: Callable[[bytes, str], Words] = of_json if kind == "json" else of_text
    try:
        return read(read_piece(piece, MAX_WORDS_BYTES), kind) if piece.size_bytes != 0 else NOTHING
    except ValueError as error:
        raise ValueError(f"its words cannot be read: {kind}: {error}") from error


def _believed(answer: dict, max_bytes: int) -> Seen | str:
    """Raises KeyError, TypeError or ValueError where that can be no answer: it comes from a child gone astray.

    What passes can stand in every table and file that is made of it later, so a lie costs its own picture alone.
    """
    if "error" in answer:
        return _text(answer["error"])
    captions, scores = answer["words"]
    told = [{"text": _text(caption["text"]), "source": _text(caption["source"])} for caption in captions]
    if not all(map(is_score, scores.values())):
        raise ValueError("a score is no number that a sample can hold")
    numbers = {_text(name): float(value) for name, value in scores.items()}
    info, size_bytes = PictureInfo(**answer["info"]), _number(answer["size_bytes"], max_bytes)
    _number(_number(info.width, MAX_PIXELS) * _number(info.height, MAX_PIXELS), MAX_PIXELS)
    if not ID.fullmatch(answer["video_id"]) or info.extension not in PICTURES:
        raise ValueError(f"no id or no extension: {answer['video_id']!r}, {info.extension!r}")
    return Seen(answer["video_id"], size_bytes, info, (told, numbers))


def _text(value: object) -> str:
    """Raises where it is no text, or has halves of characters."""
    if not isinstance(value, str):
        raise TypeError(f"no text: {value!r}")
    value.encode()
    return value


def _number(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(f"no number from 1 to {most}: {value!r}")
    return value
