"""Rows of numbers about frames in a file without a name: while footage goes by, memory stays what it is."""

import errno
import os
import tempfile
from pathlib import Path

import numpy as np

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class RowLog:
    """Grows at its end, and is read anywhere; gone with this object, or with the process."""

    def __init__(self, dtype: np.dtype, folder: Path | None = None) -> None:
        """Args: dtype: of a row; folder: where the file goes, the system's for temporary files by default."""
        self._dtype, self._folder = dtype, folder or tempfile.gettempdir()
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115, it lives as long as this object
        self._num_rows = 0

    def __len__(self) -> int:
        return self._num_rows

    def extend(self, rows: np.ndarray) -> None:
        """Appends rows, of the log's dtype, (num_rows,).

        Raises:
            OSError: the disk is full.
        """
        try:
            written = self._file.write(rows.tobytes())
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            written = 0
        if written != rows.nbytes:
            told = f"{written} of {rows.nbytes} bytes found room on this disk; free some and run again"
            raise OSError(errno.ENOSPC, told, str(self._folder))
        self._num_rows += len(rows)

    def read(self, low: int = 0, high: int | None = None) -> np.ndarray:
        """Rows low <= row < high, (num_rows,): all by default."""
        size, end = self._dtype.itemsize, self._num_rows if high is None else min(high, self._num_rows)
        return np.frombuffer(os.pread(self._file.fileno(), max(0, end - low) * size, low * size), self._dtype)
