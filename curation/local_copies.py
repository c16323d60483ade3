"""Copies of files whose server sends no parts of them: on the local disk, without a name, together within a limit."""

import io
import tempfile
from typing import BinaryIO, cast

from upath import UPath

from curation.child_side import beat
from shards.places import stream
from shards.video import VideoError


class LocalCopies:
    """Copies by their address, the one used last at the end. They go with this process, even if it is killed."""

    def __init__(self) -> None:
        self._files: dict[str, BinaryIO] = {}

    def has(self, address: str) -> bool:
        """Whether there is a copy of it."""
        return address in self._files

    def take(self, where: UPath, max_bytes: int) -> BinaryIO:
        """A copy of the file, at its start; made if there is none, for which others may go.

        Args:
            where: the file.
            max_bytes: what all copies together may have; a larger file is not copied.

        Raises:
            VideoError: it is too large.
            OSError: there is no way to it, or the local disk is full.
        """
        copy = self._files.pop(str(where), None) or self._made(where, max_bytes)
        copy.seek(0, io.SEEK_SET)
        self._files[str(where)] = copy
        return copy

    def drop(self, address: str) -> None:
        """Lets a copy go."""
        self._files.pop(address).close()

    def _made(self, where: UPath, max_bytes: int) -> BinaryIO:
        copy = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115, whoever drops it closes it
        try:
            for data in stream(where):
                if copy.tell() + len(data) > max_bytes:
                    raise VideoError(f"too large to copy: more than {max_bytes} bytes, and its server sends no parts")
                self._make_room(max_bytes - copy.tell() - len(data))
                _append(copy, data, where)
        except BaseException:
            copy.close()
            raise
        return copy

    def _make_room(self, max_kept_bytes: int) -> None:
        """Lets copies go, the one unused for longest first."""
        while self._files and sum(file.seek(0, io.SEEK_END) for file in self._files.values()) > max_kept_bytes:
            self.drop(next(iter(self._files)))


def _append(copy: BinaryIO, data: bytes, where: UPath) -> None:
    try:
        copy.write(data)
        copy.flush()
        beat()
    except OSError as error:
        told = f"no copy of {where} can be written here ({error.strerror}); make room or set TMPDIR"
        raise OSError(error.errno, told, tempfile.gettempdir()) from error
