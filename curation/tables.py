"""Where the tables of a corpus lie, and how their parts are read and written."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from shards.places import Place, absolute, reaching
from shards.store import parquet_file, write_table

DEMO = Path("data/demo/corpus")
"""The corpus of `make curate` without VIDEOS and OUT, as `configs/curate/demo.yaml` has it."""
SPLIT_TABLES = {"inputs", "videos", "clips", "captions", "proxies"}

FEW_ROWS = 16_384
"""Parts of so many are read faster by one thread than by many that must be woken."""


@dataclass(frozen=True)
class Corpus:
    """A corpus on disk or at an address: one folder a table, in it one Parquet file a part (`part-00000.parquet`, ...).

    Part N of every table that mirrors `clips` (captions, scores, verdicts) speaks of the clips of `clips/part-N`.
    """

    root: Place

    def folder(self, table: str) -> Place:
        """Folder of a table, e.g. `clips`, `scores/motion` or `verdicts/hq`."""
        return self.root / table

    def path(self, table: str, part: str) -> Place:
        """File of one part; it exists once the part is done."""
        return self.root / table / f"{part}.parquet"

    def has(self, table: str, part: str) -> bool:
        """Whether the part is done."""
        path = self.path(table, part)
        with reaching(path):
            return path.exists()

    def parts(self, table: str) -> list[str]:
        """Names of the parts that are done, sorted."""
        folder = self.folder(table)
        with reaching(folder):
            return sorted(path.stem for path in folder.glob("part-*.parquet"))

    def need(self, table: str, job: str) -> None:
        """Sees that a table has parts.

        Raises:
            ValueError: it has none; says what to run, which is `job` where those before it were.
        """
        if self.parts(table):
            return
        if not self.parts("videos"):
            raise ValueError(f"{self.root} is not curated yet: {self._curate()}")
        raise ValueError(f"{self.folder(table)} is empty; run JOB={job} first, or leave JOB out to run all")

    def _curate(self) -> str:
        """The command that splits it; one that was interrupted knows its footage, and the demo brings its own."""
        if self.root == absolute(DEMO):
            return "make curate"
        footage = "" if self.parts("inputs") else "VIDEOS=<your footage> "
        return f"make curate {footage}OUT={self.root}"

    def read(self, table: str, part: str, columns: list[str] | None = None) -> pa.Table:
        """One part, all columns or some.

        Raises:
            ValueError: the file cannot be read; names it and says what to do.
        """
        path = self.path(table, part)
        with readable(path, table), parquet_file(path) as file:
            _refuse_lack(file.schema_arrow.names, columns, path)
            return file.read(columns=columns, use_threads=file.metadata.num_rows > FEW_ROWS)

    def read_all(self, table: str, columns: list[str] | None = None) -> pa.Table:
        """All parts of a table, one below the other; the table must have at least one."""
        return pa.concat_tables([self.read(table, part, columns) for part in self.parts(table)])

    def write(self, table: str, part: str, rows: pa.Table, schema: pa.Schema) -> None:
        """Writes one part whole or not at all."""
        write_table(self.path(table, part), rows, schema)


@contextmanager
def readable(path: Place, table: str) -> Iterator[None]:
    """Says which file of a table it is that cannot be read, and what to do.

    Raises:
        ValueError: it is missing, cut short or damaged.
    """
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        if isinstance(error, OSError) and not isinstance(path, Path):
            raise  # no way to it; the file is not to blame
        raise ValueError(f"cannot read {path} ({error}); {_way_out(table)}") from error


def _refuse_lack(names: list[str], columns: list[str] | None, path: Place) -> None:
    lack = sorted(set(columns or ()) - set(names))
    if lack:
        raise ValueError(f"{path} lacks {lack}: another version of Rushes wrote it; say FORCE=split to make it anew")


def _way_out(table: str) -> str:
    """Parts of the split belong together; those of other tables are made anew one by one."""
    return "say FORCE=split" if table in SPLIT_TABLES else "remove that file and run the job again"


def part_name(number: int) -> str:
    """`part-00000` for 0: sorts by number up to 100,000 parts."""
    return f"part-{number:05d}"
