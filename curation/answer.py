"""What a child process answers, as bytes that can hold nothing but data.

The child may be in the hands of the video that it reads: its words are never unpickled, and no longer than stated here.
"""

import io
import json
import struct
from dataclasses import is_dataclass
from typing import Any

HEAD = struct.Struct("<QQ")  # bytes of JSON, bytes of what JSON cannot hold
MAX_TEXT_BYTES = 2**28  # a day of footage in clips of a second is 80 MB; as objects it takes up to 20 times as much
MAX_BLOB_BYTES = 2**30  # one packed clip
BYTES = "\0bytes"  # the key of a dict that stands for so many bytes


class BadAnswer(ValueError):
    """It is too long, or makes no sense; the message says which."""


def packed(value: object) -> bytes:
    """A head, JSON, and after it the bytes that JSON cannot hold.

    Args:
        value: numbers, strings, bytes, None, and lists, tuples, dicts and dataclasses of them. Tuples arrive as lists,
            dataclasses as dicts.

    Raises:
        TypeError: it holds something else.
    """
    pieces: list[bytes] = []

    def plain(item: object) -> object:
        if isinstance(item, bytes):
            pieces.append(item)
            return {BYTES: len(item)}
        if is_dataclass(item):
            return vars(item)
        raise TypeError(f"{type(item).__name__} cannot be sent")

    text = json.dumps(value, default=plain).encode()
    return b"".join([HEAD.pack(len(text), sum(map(len, pieces))), text, *pieces])


class Incoming:
    """An answer that arrives piece by piece."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._sizes: tuple[int, int] | None = None

    @property
    def num_missing(self) -> int:
        """Bytes still to come, as far as is known; 0: it is whole."""
        return HEAD.size + sum(self._sizes or (0, 0)) - len(self._received)

    def add(self, piece: bytes) -> None:
        """Takes the next bytes, at most `num_missing`.

        Raises:
            BadAnswer: it would become too long; nothing of it has been taken yet.
        """
        self._received += piece
        if self._sizes is None and not self.num_missing:
            self._sizes = text, blob = HEAD.unpack(self._received)
            if text > MAX_TEXT_BYTES or blob > MAX_BLOB_BYTES:
                most = f"{MAX_TEXT_BYTES} and {MAX_BLOB_BYTES} are allowed"
                raise BadAnswer(f"too long: {text} bytes of text and {blob} of video; {most}")

    def value(self) -> Any:
        """What was packed, once it is whole.

        Raises:
            BadAnswer: it is no JSON.
        """
        text_end = HEAD.size + (self._sizes or (0, 0))[0]
        blob = io.BytesIO(self._received[text_end:])

        def unpacked(item: dict) -> object:
            return blob.read(item[BYTES]) if BYTES in item else item

        try:
            return json.loads(self._received[HEAD.size : text_end], object_hook=unpacked)
        except (ValueError, TypeError, RecursionError) as error:
            raise BadAnswer(f"no JSON: {error}") from error
