"""Writes an mp4 file in memory, its index in front: equal packets give equal bytes. Also what a packed clip is."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import OutputContainer

MUXER_OPTIONS = {"fflags": "+bitexact", "movflags": "+faststart"}


@dataclass(frozen=True)
class PackedClip:
    """A packed video or picture, and what was measured on it."""

    content: bytes
    """The mp4 file, or the picture's."""
    fps: float | None
    """Frames over the seconds of the span; the rate asked for where frames were taken at an even rate; None of a
    picture."""
    num_frames: int
    """Frames of the packed video; 1 of a picture."""
    width: int
    """Pixels as displayed."""
    height: int
    """Pixels as displayed."""
    num_source_frames: int | None
    """Frames of the source in the span; None of a picture, for which they are not counted."""
    made_by: str
    """`copy`, `encode`, `encode: ` and why it could not be copied, or `image: frame at <pts>`."""
    audio: str | None = None
    """What became of its sound, as `audio.add_audio` says; None where it was not asked for."""


@contextmanager
def new_mp4(time_base: Fraction) -> Iterator[tuple[io.BytesIO, OutputContainer]]:
    """A file and the container that writes it; the file is whole once the block is left.

    Args:
        time_base: seconds a tick of the pictures, in which the length of the whole is told too; libav's milliseconds
            would round it.

    Raises:
        av.FFmpegError: mp4 cannot hold what was muxed.
    """
    buffer, options = io.BytesIO(), MUXER_OPTIONS | {"movie_timescale": str(time_base.denominator)}
    with av.open(buffer, "w", "mp4", options=options, io_open=lambda *_: _Reread(buffer)) as container:
        yield buffer, container


class _Reread:
    """A second view of the file being written: to put the index in front, libav reads it while it writes on."""

    def __init__(self, buffer: io.BytesIO) -> None:
        self._buffer, self._position = buffer, 0

    def read(self, size: int) -> bytes:
        data = bytes(self._buffer.getbuffer()[self._position : self._position + size])
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._buffer.getbuffer().nbytes}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position
