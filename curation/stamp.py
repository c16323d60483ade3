"""Whether a source file is still the one that was listed: what is not, must not become a result that stays."""

import errno
import os

from curation.corpus import unreadable_id

WAY_OUT = "since it was split; bring it back, then run the same command again"


def refuse_changed(path: str, video_id: str, size_bytes: int | None, mtime_ns: int | None) -> None:
    """Compares a file with what `inputs` recorded of it; one that could not be read then may be anything now.

    Args:
        path: the file.
        video_id: as recorded.
        size_bytes: as recorded; None if the file was not there.
        mtime_ns: as recorded.

    Raises:
        OSError: it is gone, has changed, or cannot be read any more; says so with its name and the way out.
    """
    if size_bytes is None or video_id == unreadable_id(path):
        return
    try:
        with open(path, "rb") as file:
            file.read(1)  # a share that is gone may still answer for the name
            now = os.fstat(file.fileno())
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, f"{path} is gone {WAY_OUT}", path) from error
    except OSError as error:
        raise OSError(error.errno, f"{path} cannot be read any more ({error.strerror}) {WAY_OUT}", path) from error
    if (now.st_size, now.st_mtime_ns) != (size_bytes, mtime_ns):
        raise OSError(errno.ESTALE, f"{path} has changed {WAY_OUT}", path)
