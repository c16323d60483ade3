"""The numbers of a stage as a table: `log.csv`, a row for each place in samples at which something was logged."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from shards.store import atomic_path

SAMPLES = "samples"

Row = dict[str, str]


class CsvLog(Logger):
    """Rows by samples seen. A row goes to the file at once; what is logged at the same place joins it."""

    def __init__(self, path: Path) -> None:
        """Args: path: of the file; its folder need not be there yet."""
        super().__init__()
        self.path = path
        self._columns: list[str] = [SAMPLES]
        self._last: Row = {}
        self._last_at = 0  # byte of the file at which the last row begins

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.stem

    @property
    def version(self) -> str:
        """There is one."""
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """They are in `config.yaml`."""

    @rank_zero_only
    def begin(self, samples: int) -> None:
        """Starts a log, or goes on with one: rows past so many samples, which will come again, and torn ones go."""
        rows = [row for row in read_log(self.path) if float(row[SAMPLES]) <= samples]
        self._columns = list(dict.fromkeys([SAMPLES, *(name for row in rows for name in row)]))
        self._write_all(rows)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Writes numbers at so many samples seen."""
        told = {SAMPLES: str(step)} | {name: format(value, ".9g") for name, value in metrics.items()}
        joins = self._last.get(SAMPLES) == str(step)
        row = self._last | told if joins else told
        if new := [name for name in row if name not in self._columns]:
            self._columns += new
            self._write_all(read_log(self.path))
        with self.path.open("r+b") as file:
            at = self._last_at if joins else file.seek(0, io.SEEK_END)
            file.seek(at)
            file.write(self._line(row))
            file.truncate()
        self._last, self._last_at = row, at

    def _write_all(self, rows: list[Row]) -> None:
        lines = [self._line(dict(zip(self._columns, self._columns, strict=True))), *map(self._line, rows)]
        with atomic_path(self.path) as temporary:
            temporary.write_bytes(b"".join(lines))
        self._last = rows[-1] if rows else {}
        self._last_at = sum(map(len, lines[:-1]))

    def _line(self, row: Row) -> bytes:
        text = io.StringIO()
        csv.DictWriter(text, self._columns, restval="", lineterminator="\n").writerow(row)
        return text.getvalue().encode()


def read_log(path: Path) -> list[Row]:
    """The whole rows of a log, each with the numbers that it holds; none if there is no file."""
    if not path.exists():
        return []
    header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True) or [""]
    columns = next(csv.reader([header]), [])
    found = csv.reader(line for line in lines if line.endswith("\n"))
    rows = [dict(zip(columns, values, strict=True)) for values in found if len(values) == len(columns)]
    return [{name: value for name, value in row.items() if value} for row in rows if row.get(SAMPLES)]
