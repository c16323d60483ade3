"""A folder of sampled videos: the files of each, and the table that tells what they were made with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from shards.schema import conform, field, from_rows
from shards.store import parquet_file, write_table

SAMPLES = pa.schema(
    [
        field("caption", pa.string(), "what the video was to show"),
        field("images_sha256", pa.list_(pa.string()), "SHA-256 of the files of the given frames, in order"),
        field("seed", pa.int64(), "of its noise"),
        field("video", pa.string(), "mp4, by its name in the folder"),
        field("animation", pa.string(), "GIF, by its name in the folder"),
        field("sheet", pa.string(), "contact sheet, PNG, by its name in the folder"),
        field("stage", pa.string(), "that trained the weights"),
        field("weights", pa.string(), "file of the run: averaged (ema) or last (raw)"),
        field("weights_sha256", pa.string(), "SHA-256 of that file"),
        field("sampler", pa.string(), "class and settings, JSON"),
        field("guidance", pa.string(), "class and settings, JSON"),
        field("num_frames", pa.int32(), "of the video"),
        field("height_px", pa.int32(), "of the video", "px"),
        field("width_px", pa.int32(), "of the video", "px"),
        field("fps", pa.float64(), "of the video", "1/s"),
        field("settings_sha256", pa.string(), "SHA-256 of all settings of the stage, sampler and guidance"),
    ]
)
FILES = ("video", "animation", "sheet")
TABLE = "samples.parquet"


@dataclass(frozen=True)
class SampleFolder:
    """Sampled videos with a row of `SAMPLES` each.

    A row is written before its files, each of which is whole or not there: what a killed run left out is made by the
    next one.
    """

    folder: Path

    @property
    def table(self) -> Path:
        """The rows, one a video."""
        return self.folder / TABLE

    def rows(self) -> dict[str, dict[str, Any]]:
        """Rows by the name of the video, in the order in which they came.

        Raises:
            ValueError: the table is damaged.
        """
        if not self.table.exists():
            return {}
        try:
            with parquet_file(self.table) as file:
                return {row["video"]: row for row in conform(file.read(), SAMPLES).to_pylist()}
        except (ValueError, OSError) as error:  # pyarrow's are both
            raise ValueError(f"{self.table} cannot be read ({error}): name another folder (--out)") from error

    def files(self, row: Mapping[str, Any]) -> list[Path]:
        """The files of a video."""
        return [self.folder / row[name] for name in FILES]

    def missing(self, rows: Sequence[Mapping[str, Any]], force: bool = False) -> list[Mapping[str, Any]]:
        """Those of the rows whose videos are not all there, made with the same.

        Args:
            rows: of videos that are wanted.
            force: counts what was made with something else as missing.

        Raises:
            ValueError: two rows have the same files; in the place of a video lies another, or something unknown.
        """
        there, taken = self.rows(), set()
        for row in rows:
            if row["video"] in taken:
                raise ValueError(
                    f"two captions would be written to {row['video']}, one of them {row['caption']!r} with seed "
                    f"{row['seed']}: give them other seeds"
                )
            taken.add(row["video"])
            if not force and (occupied := [path for path in self.files(row) if path.exists()]):
                self._check_same(occupied[0], there.get(row["video"]), row)
        return [row for row in rows if there.get(row["video"]) != row or not all(map(Path.exists, self.files(row)))]

    def _check_same(self, path: Path, before: Mapping[str, Any] | None, row: Mapping[str, Any]) -> None:
        if before == row:
            return
        other = [f"{name} {before[name]!r}" for name in row if before[name] != row[name]] if before else []
        told = f"was made with another {', '.join(other)}" if other else f"is not known to {self.table}"
        raise ValueError(f"{path} {told}: name another folder (--out), or replace it (--force, FORCE=1)")

    def announce(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes rows of videos that are about to be made; files that lie in their places go."""
        for row in rows:
            for path in self.files(row):
                path.unlink(missing_ok=True)
        together = self.rows() | {row["video"]: dict(row) for row in rows}
        write_table(self.table, from_rows(list(together.values()), SAMPLES), SAMPLES)
