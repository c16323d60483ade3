"""Where files lie: on a local disk (`Path`), or at an address that fsspec knows, such as `s3://` (`UPath`).

Whatever a storage library raises becomes an OSError that says what happened, where, and what to do.
"""

import errno
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import cast

from fsspec.implementations.local import LocalFileSystem
from upath import UPath
from upath.implementations.cloud import CloudPath

Place = Path | UPath
STORAGE_LIBRARIES = {"fsspec", "s3fs", "botocore", "aiobotocore", "aiohttp", "gcsfs", "adlfs", "google", "azure"}
# Of files of 50 MB, 1.00 to 1.04 times their bytes are fetched; of a fragmented mp4 2.0. Smaller blocks take longer.
BLOCK_BYTES, KEPT_BLOCKS = 2 * 2**20, 16
WAYS_OUT = {
    "NoCredentialsError": "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "PermissionError": "access is denied; give these credentials the right to list, read and write there",
    "EndpointConnectionError": "it cannot be reached; look at the network and at AWS_ENDPOINT_URL",
}


def is_address(text: str) -> bool:
    """Whether it names a place by its protocol, as `s3://bucket/name` does."""
    return "://" in text


def place(text: str | Place) -> Place:
    """The place of that name; a local one is not looked at.

    Raises:
        ValueError: no library here reads that protocol, or one address stands inside another.
    """
    if not isinstance(text, str):
        return text
    if not is_address(text):
        return Path(text).expanduser()
    if "::" in text:
        raise ValueError(f"{text}: an address inside another is not read; name the file itself")
    try:
        # Listings are not remembered: other processes write there too.
        found = UPath(text, use_listings_cache=False)
        return Path(found.path) if isinstance(found.fs, LocalFileSystem) else found
    except (ValueError, ImportError) as error:
        raise ValueError(f"{text} cannot be read: {error}") from error


def absolute(where: Place) -> Place:
    """A local place from the root on, links followed; an address without `..`."""
    return where.resolve()


def name_in(folder: Place, text: str) -> str:
    """The full name of what `text` names in a folder: an address or a path from the root on, or one from there.

    Raises:
        ValueError: as `place`.
    """
    if not is_address(text):
        return str(absolute(place(text) if Path(text).is_absolute() else folder / text))
    where = _first_at(text.split("://", 1)[0], "::" in text)
    return str(absolute(place(text))) if isinstance(where, Path) else text


@lru_cache
def _first_at(protocol: str, is_chained: bool) -> Place:
    """A place of that protocol, looked up once: tables have many rows, and that costs more than the rest of a row."""
    return place(f"{protocol}://first{'::' * is_chained}")


@contextmanager
def reaching(where: object) -> Iterator[None]:
    """Says in words what goes wrong with storage.

    Raises:
        FileNotFoundError: nothing lies there, though its bucket stands.
        OSError: there are no credentials, no right, no bucket, or no way to it.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise _in_words(error, where) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] not in STORAGE_LIBRARIES:
            raise
        raise _in_words(error, where) from error


def _in_words(error: Exception, where: object) -> OSError:
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, f"{where} is not there ({error})", str(where))
    number = getattr(error, "errno", None) or errno.EIO
    words = WAYS_OUT.get(type(error).__name__)
    plain = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
    told = f"{words} ({error})" if words else plain
    return OSError(number, f"{where}: {told}", str(where))


def refuse_absent_bucket(where: Place) -> None:
    """Tells a missing bucket from a missing file: the one is a mistake or trouble, the other a fact.

    Raises:
        OSError: there is no such bucket.
    """
    if isinstance(where, CloudPath) and not where.fs.exists(where.drive):
        raise OSError(errno.EIO, f"{where}: there is no bucket {where.drive}; look at its name", str(where))


class AddressedFile(io.RawIOBase):
    """A file at an address, read block by block; a few blocks are kept, since containers are read back and forth."""

    def __init__(self, where: UPath, kept_blocks: int = KEPT_BLOCKS) -> None:
        """Raises OSError as `reaching` does."""
        self.where, self.name = where, where.name
        kept = {"maxblocks": kept_blocks}
        with reaching(where):
            self._file = where.fs.open(
                where.path, "rb", block_size=BLOCK_BYTES, cache_type="blockcache", cache_options=kept
            )

    def gives_parts(self) -> bool:
        """Whether the server sends the middle of a file without its beginning; the position is 0 afterwards."""
        try:
            self.seek(BLOCK_BYTES)
            self.read(1)
            self.seek(0)
        except ValueError:  # fsspec's for a web server that knows no ranges
            return False
        return True

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True; whether the server plays along, `gives_parts` tells."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; raises OSError as `reaching` does."""
        with reaching(self.where):
            return cast(bytes, self._file.read(size))

    def readinto(self, buffer: memoryview) -> int:
        """Fills the buffer as far as there is something to read; raises as `read`."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves; the new position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self._file.tell()

    def close(self) -> None:
        """Lets the blocks go."""
        if not self.closed:
            self._file.close()
        super().close()


def stream(where: UPath) -> Iterator[bytes]:
    """All bytes of a file at an address from the first to the last, a block at a time; raises as `reaching`."""
    with AddressedFile(where, kept_blocks=2) as file:
        if file.gives_parts():
            yield from iter(lambda: file.read(BLOCK_BYTES), b"")
            return
    with reaching(where), where.fs.open(where.path, "rb", block_size=0) as plain:
        yield from iter(lambda: cast(bytes, plain.read(BLOCK_BYTES)), b"")
