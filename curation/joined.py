"""The wide view of a corpus: clips beside the columns of their score tables, part by part, only the columns asked for.

A score table mirrors `clips` row for row, so a join is columns laid side by side once the ids are proved equal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.types as types

from curation.maker import makers, refuse_other_maker
from curation.tables import Corpus
from shards import store
from shards.schema import CLIP_ID, CLIPS

KEY = CLIP_ID.name
ERROR_SUFFIX = "_error"


@dataclass(frozen=True)
class Joined:
    """`clips` and some score tables of a corpus as one wide table."""

    corpus: Corpus
    fields: dict[str, pa.Field]
    """Every column by name, with its type, doc and unit; `clips` first, then the tables in the order given."""
    homes: dict[str, str]
    """Column -> the table that holds it."""
    made_by: dict[str, str] = field(default_factory=dict)
    """Score table -> hash of the configuration that made it, weights included; of those that remember one."""

    def parts(self) -> list[str]:
        """Parts of `clips` that are done, sorted."""
        return self.corpus.parts("clips")

    def numeric(self) -> list[str]:
        """Columns that hold one number or truth value a clip."""
        return [name for name, field in self.fields.items() if is_number(field.type)]

    def flat(self) -> list[str]:
        """All columns but embeddings and other lists."""
        return [name for name, field in self.fields.items() if not types.is_nested(field.type)]

    def prove(self, columns: Iterable[str]) -> int:
        """Proves that every table that holds one of the columns mirrors `clips`, all parts; gives the number of clips.

        Raises:
            ValueError: a file is missing, does not mirror `clips`, or was made otherwise; names the file.
        """
        tables, rows = sorted({self.homes[column] for column in columns} - {"clips"}), 0
        for part in self.parts():
            clip_ids = self.corpus.read("clips", part, [KEY])[KEY]
            for table in tables:
                self._mirror(table, part, clip_ids, [])
            rows += len(clip_ids)
        return rows

    def column(self, name: str) -> pa.ChunkedArray:
        """One column over all parts, without the proof of equal rows that `prove` and `read` give.

        Raises:
            ValueError: a file is missing or lacks the column; names the file.
        """
        parts = [self.column_of(part, name) for part in self.parts()]
        return pa.chunked_array([chunk for part in parts for chunk in part.chunks], self.fields[name].type)

    def column_of(self, part: str, name: str) -> pa.ChunkedArray:
        """The same of one part."""
        return _read(self.corpus, self.homes[name], part, [name])[name]

    def read(self, part: str, columns: Sequence[str], pending: bool = False) -> pa.Table:
        """One part with these columns, in this order; reads nothing else but the ids that prove the rows equal.

        Args:
            part: a part of `clips`.
            columns: names among `fields`, each once.
            pending: give nulls for a score table whose part is not done, where otherwise that is an error.

        Raises:
            ValueError: a file is missing, lacks a column, does not mirror `clips`, or was made with another
                configuration or other weights than its table remembers; names the file.
        """
        wanted: dict[str, list[str]] = {"clips": []}
        for column in columns:
            wanted.setdefault(self.homes[column], []).append(column)
        clips = self.corpus.read("clips", part, list(dict.fromkeys([KEY, *wanted.pop("clips")])))
        found = {name: clips[name] for name in clips.column_names}
        for table, names in wanted.items():
            if pending and not self.corpus.has(table, part):
                found |= {name: pa.nulls(len(clips), self.fields[name].type) for name in names}
            else:
                side = self._mirror(table, part, clips[KEY], names)
                found |= {name: side[name] for name in names}
        return pa.table([found[name] for name in columns], schema=pa.schema([self.fields[name] for name in columns]))

    def _mirror(self, table: str, part: str, clip_ids: pa.ChunkedArray, columns: list[str]) -> pa.Table:
        side = read_mirror(self.corpus, table, part, clip_ids, columns)
        if table in self.made_by:
            refuse_other_maker(self.corpus.path(table, part), side.schema, self.made_by[table])
        return side


def join(corpus: Corpus, scorers: Iterable[str]) -> Joined:
    """The wide view over `clips` and `scores/<name>` for each name; `dedup` is a name like any other.

    Raises:
        ValueError: a score table has no part yet, or two tables hold columns of one name.
    """
    known, homes = {each.name: each for each in CLIPS}, dict.fromkeys(CLIPS.names, "clips")
    tables = [f"scores/{name}" for name in scorers]
    for table in tables:
        for each in _schema(corpus, table):
            if each.name == KEY:
                continue
            if each.name in homes:
                raise ValueError(f"{table} and {homes[each.name]} both hold a column `{each.name}`; rename one")
            known[each.name], homes[each.name] = each, table
    return Joined(corpus, known, homes, makers(corpus, tables))


def read_mirror(corpus: Corpus, table: str, part: str, clip_ids: pa.ChunkedArray, columns: list[str]) -> pa.Table:
    """Columns of a table's part that must speak of these clips, in this order.

    Raises:
        ValueError: the file is missing, lacks a column, or has other clips or another order; names the file.
    """
    side = _read(corpus, table, part, [KEY, *columns])
    if not side[KEY].equals(clip_ids):
        raise ValueError(
            f"{corpus.path(table, part)} does not mirror {corpus.path('clips', part)}: {len(side)} rows against "
            f"{len(clip_ids)}, or other clips, or another order; remove it and run its job again"
        )
    return side


def num_rows(corpus: Corpus, table: str, part: str) -> int:
    """Rows of a part, by the metadata of its file alone."""
    return store.num_rows(corpus.path(table, part))


def is_number(dtype: pa.DataType) -> bool:
    """Whether a value of this type is one number or truth value."""
    return types.is_integer(dtype) or types.is_floating(dtype) or types.is_boolean(dtype)


def _read(corpus: Corpus, table: str, part: str, columns: list[str]) -> pa.Table:
    path = corpus.path(table, part)
    if not path.exists():
        raise ValueError(f"{path} is missing: the job that writes {table} has not done this part; run it first")
    rows = corpus.read(table, part, columns)
    if missing := sorted(set(columns) - set(rows.column_names)):
        raise ValueError(f"{path} lacks {missing}, which other parts have; remove it and run its job again")
    return rows


def _schema(corpus: Corpus, table: str) -> pa.Schema:
    parts = corpus.parts(table)
    if not parts:
        raise ValueError(f"{corpus.folder(table)} has no part yet: run the job that writes it first")
    with store.parquet_file(corpus.path(table, parts[0])) as file:
        return file.schema_arrow
