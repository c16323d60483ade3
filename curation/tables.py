"""Where the tables of a corpus lie, and how their parts are read and written."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shards.store import write_table


@dataclass(frozen=True)
class Corpus:
    """A corpus on disk: one folder a table, in it one Parquet file a part (`part-00000.parquet`, ...).

    Part N of every table that mirrors `clips` (captions, scores, verdicts) speaks of the clips of `clips/part-N`.
    """

    root: Path

    def folder(self, table: str) -> Path:
        """Folder of a table, e.g. `clips`, `scores/motion` or `verdicts/hq`."""
        return self.root / table

    def path(self, table: str, part: str) -> Path:
        """File of one part; it exists once the part is done."""
        return self.root / table / f"{part}.parquet"

    def has(self, table: str, part: str) -> bool:
        """Whether the part is done."""
        return self.path(table, part).exists()

    def parts(self, table: str) -> list[str]:
        """Names of the parts that are done, sorted."""
        return sorted(path.stem for path in self.folder(table).glob("part-*.parquet"))

    def read(self, table: str, part: str, columns: list[str] | None = None) -> pa.Table:
        """One part, all columns or some.

        Raises:
            ValueError: the file cannot be read; names it and says what to do.
        """
        path = self.path(table, part)
        try:
            return pq.ParquetFile(path).read(columns=columns)
        except (OSError, pa.ArrowInvalid) as error:
            raise ValueError(f"cannot read {path} ({error}); remove that file and run the job again") from error

    def read_all(self, table: str, columns: list[str] | None = None) -> pa.Table:
        """All parts of a table, one below the other; the table must have at least one."""
        return pa.concat_tables([self.read(table, part, columns) for part in self.parts(table)])

    def write(self, table: str, part: str, rows: pa.Table, schema: pa.Schema) -> None:
        """Writes one part whole or not at all."""
        write_table(self.path(table, part), rows, schema)


def part_name(number: int) -> str:
    """`part-00000` for 0: sorts by number up to 100,000 parts."""
    return f"part-{number:05d}"
