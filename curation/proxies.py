"""Proxy frames on disk: small JPEGs in Parquet, written in groups of rows so that memory does not grow with a video."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq

from curation.scorer import Frames
from curation.tables import readable
from shards.parquet_options import parquet_options
from shards.places import Place
from shards.schema import PROXIES, from_rows
from shards.store import atomic_path, parquet_file

ROWS_PER_GROUP = 64


@contextmanager
def proxy_writer(path: Path) -> Iterator[Callable[[dict], None]]:
    """Gives a function that takes one row of `proxies` at a time; the file appears whole when the block ends."""
    rows: list[dict] = []
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, PROXIES, **parquet_options(PROXIES)) as writer:

        def flush() -> None:
            if rows:
                writer.write_table(from_rows(rows, PROXIES))
                rows.clear()

        def write(row: dict) -> None:
            rows.append(row)
            if len(rows) >= ROWS_PER_GROUP:
                flush()

        yield write
        flush()


def merge_proxies(parts: Sequence[Path], target: Place) -> None:
    """One file of all rows, in the order given, without holding more than one group of rows."""
    with atomic_path(target) as temporary, pq.ParquetWriter(temporary, PROXIES, **parquet_options(PROXIES)) as writer:
        for part in parts:
            with pq.ParquetFile(part) as source:
                for group in range(source.num_row_groups):
                    writer.write_table(source.read_row_group(group))


class JpegFrames(Sequence):
    """`Frames` that are decoded when they are first looked at, in whatever thread, and then kept."""

    def __init__(self, rows: list[dict]) -> None:
        """Args: rows: `time_s` and `jpeg` of each."""
        self._rows, self._pictures = rows, [None] * len(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        """(seconds, uint8 (H, W, 3) RGB), or a list of them for a slice.

        Raises:
            ValueError: the frame is damaged.
        """
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row, picture = self._rows[index], self._pictures[index]
        if picture is None:
            picture = self._pictures[index] = _decode(row["jpeg"])
        if picture is None:
            raise ValueError(f"the proxy frame at {row['time_s']:.3f} s is damaged")
        return row["time_s"], picture


class ProxyReader:
    """Gives the proxy frames of spans; holds the groups of rows that the last span touched and no others."""

    def __init__(self, path: Place) -> None:
        """Raises ValueError where the file is missing or cut short; names it and the way out."""
        self._path = path
        with readable(path, "proxies"):
            self._file = parquet_file(path)
            where = self._file.read(columns=["video_id", "pts"])
        self._pts = where["pts"].to_numpy()
        ids = where["video_id"].to_pylist()
        self._first_row = {video_id: row for row, video_id in reversed(list(enumerate(ids)))}
        self._num_rows = Counter(ids)
        sizes = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        self._group_starts = np.cumsum([0, *sizes])
        self._groups: dict[int, list[dict]] = {}

    def frames(self, video_id: str, start_pts: int, end_pts: int) -> Frames:
        """Proxy frames of a half-open span.

        Raises:
            ValueError: there is none of that video.
        """
        if video_id not in self._first_row:
            raise ValueError(
                f"{self._path} holds no frame of the video {video_id}, of which there are clips: another split wrote "
                "it; bring the right file back, or say FORCE=split"
            )
        first = self._first_row[video_id]
        pts = self._pts[first : first + self._num_rows[video_id]]
        low, high = (first + int(row) for row in np.searchsorted(pts, [start_pts, end_pts]))
        with readable(self._path, "proxies"):
            return JpegFrames(self._rows(low, high))

    def close(self) -> None:
        """Releases the file."""
        self._file.close()

    def _rows(self, low: int, high: int) -> list[dict]:
        if low >= high:
            return []
        first, last = np.searchsorted(self._group_starts, [low, high - 1], side="right") - 1
        self._groups = {group: self._groups.get(group) or self._load(group) for group in range(first, last + 1)}
        rows = [row for group in self._groups.values() for row in group]
        start = self._group_starts[first]
        return rows[low - start : high - start]

    def _load(self, group: int) -> list[dict]:
        return self._file.read_row_group(group, columns=["time_s", "jpeg"]).to_pylist()


def _decode(jpeg: bytes) -> np.ndarray | None:
    """uint8 (H, W, 3) RGB, or None."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    return picture if isinstance(picture, np.ndarray) else None
