"""Opens an untrusted file in libav: known formats only, no second file, no huge frame, and our trouble told from its.

libav reads through a file of ours, so that it opens nothing by itself, and so that a disk or network that fails is not
taken for a damaged video: libav has the same error for both.
"""

import errno
import io
from typing import BinaryIO, NoReturn

import av
import av.logging
from av.container import InputContainer
from av.error import FFmpegError

# No log at all: even unseen errors would take the interpreter lock, and hang a decoder that is closed amid its threads.
av.logging.set_level(None)

FORMATS = ",".join(
    "mov mp4 matroska webm avi mpegts mpeg mpegvideo m4v h264 hevc vvc obu ivf flv asf ogg mxf gif mjpeg nut"
    " yuv4mpegpipe".split()
)
READ_BYTES = 2**16
PATH_ERRORS = {getattr(errno, name) for name in "ENOENT EACCES EPERM EISDIR ENOTDIR ENAMETOOLONG ELOOP".split()}
"""What is wrong with a path and not with the disk it names."""


class VideoError(Exception):
    """The file cannot be read as video; the message is the reason, most general words first."""


class Source:
    """A file as libav reads it; an error of the disk or the network is kept, and looks to libav like the end."""

    def __init__(self, source: str | bytes | BinaryIO) -> None:
        """Args: source: path of a local file, or all its bytes, or a seekable file, which the caller closes.

        Raises:
            VideoError: nothing that can be read lies at the path.
            OSError: the disk fails.
        """
        self._trouble: Exception | None = None
        self._is_ours = isinstance(source, str | bytes)
        try:
            if isinstance(source, str):
                self._file = open(source, "rb", buffering=0)  # noqa: SIM115, closed by `close`
            else:
                self._file = io.BytesIO(source) if isinstance(source, bytes) else source
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno not in PATH_ERRORS:
                raise
            raise VideoError(f"cannot be opened: {words(error)}") from error
        self.name = str(getattr(self._file, "name", ""))  # some formats are told by the ending

    def open(self, max_coded_pixels: int) -> InputContainer:
        """Opens it anew from its start.

        Args:
            max_coded_pixels: libav takes no memory for larger frames. Formats that announce their streams only as they
                go (flv, mpeg) do not take the limit while they are probed, and may decode one frame there.

        Raises:
            VideoError: empty, or no known format.
            Exception: what the disk or the network raised.
        """
        options = {"format_whitelist": FORMATS, "protocol_whitelist": "", "max_pixels": str(max_coded_pixels)}
        self.seek(0)
        try:
            container = av.open(
                self, "r", options=options, metadata_errors="replace", buffer_size=READ_BYTES, io_open=_refuse
            )
        except (FFmpegError, OSError, ValueError) as error:
            self.raise_trouble()
            why = "the file is empty" if self._is_empty() else words(error)
            self.raise_trouble()
            raise VideoError(f"cannot be opened: {why}") from error
        return container

    def _is_empty(self) -> bool:
        self.seek(0)
        return not self.read(1)

    def raise_trouble(self) -> None:
        """Raises what the disk or the network raised, if anything; libav took it for the end of the file."""
        if self._trouble:
            raise self._trouble

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end and after trouble."""
        try:
            return b"" if self._trouble else self._file.read(size)
        except Exception as error:
            self._trouble = error
            return b""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves; the new position, or a negative error of libav's."""
        try:
            return self._file.seek(offset, whence)
        except Exception as error:
            if not isinstance(error, ValueError | OverflowError) and getattr(error, "errno", None) != errno.EINVAL:
                self._trouble = error  # else the file names a place that no file can have
            return -errno.EINVAL

    def tell(self) -> int:
        """The position."""
        return self._file.tell()

    def close(self) -> None:
        """Releases the file."""
        if self._is_ours:
            self._file.close()


def _refuse(url: str, *_: object) -> NoReturn:
    raise VideoError("cannot be opened: it refers to another file")


def words(error: BaseException) -> str:
    """The reason without the file's name, so that equal reasons can be counted."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
