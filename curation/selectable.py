"""The columns that rules can name: of clips, scores and a user's table those that hold one value a clip."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as types

from curation.bucket_column import bucket_column
from curation.config import CurateConfig, PackConfig
from curation.joined import Joined, join
from curation.mirror import read_side_by_side
from curation.rules import columns_of
from curation.safe_score import score_schema
from curation.scorers.frame import CROP
from curation.tables import Corpus
from curation.user_columns import extra_columns, of_files, user_columns
from shards.schema import CLIPS, DEDUP

LENGTH = "duration_s"
"""Always read, so that the rows of a part are known where no column of a rule is."""
BUCKET = "bucket"
"""What a set is packed for; known where its `pack` names buckets."""


@dataclass(frozen=True)
class Selectable:
    """`clips` beside scores and the user's own columns of `inputs`, part by part."""

    wide: Joined
    users: dict[str, pa.DataType]
    """The user's columns; one that bears the name of a score is not among them."""
    pack: PackConfig | None = None
    """How the set in question is packed: its buckets make the column `bucket`."""

    @property
    def is_bucketed(self) -> bool:
        """Whether `bucket` is what the set is packed for, and not a column on disk."""
        return self.pack is not None and bool(self.pack.buckets)

    @property
    def types(self) -> dict[str, pa.DataType]:
        """Every column that a rule can name, by name."""
        made = {BUCKET: pa.string()} if self.is_bucketed else {}
        return {name: self.wide.fields[name].type for name in self.wide.flat()} | self.users | made

    def sources(self, columns: Iterable[str]) -> list[str]:
        """The columns on disk that these are made of, each once."""
        boxes = [name for name in CROP if name in self.wide.fields]
        made = {BUCKET: ["num_frames", "duration_s", "width", "height", *boxes]} if self.is_bucketed else {}
        return list(dict.fromkeys(source for name in columns for source in made.get(name, [name])))

    def complete(self, rows: pa.Table, columns: Iterable[str]) -> pa.Table:
        """Adds the bucket that each clip of this set is packed for, null where it fits none, if that is asked for."""
        if self.pack is None or not self.pack.buckets or BUCKET not in columns:
            return rows
        return rows.append_column(BUCKET, bucket_column(self.pack, rows))

    def refuse_two_buckets(self, name: str, columns: Iterable[str]) -> None:
        """Refuses a set whose rules name `bucket` where that could be two things.

        Raises:
            ValueError: the set is packed for buckets, and a table on disk holds a column of that name as well.
        """
        home = "your table" if BUCKET in self.users else self.wide.homes.get(BUCKET)
        if home and self.is_bucketed and BUCKET in columns:
            raise ValueError(_two_buckets(name, home))

    def makers_of(self, columns: Iterable[str]) -> dict[str, str]:
        """Column -> hash of the configuration that made its table, weights included; of scores that remember one."""
        homes = {name: self.wide.homes.get(name, "") for name in columns}
        return {name: self.wide.made_by[home] for name, home in homes.items() if home in self.wide.made_by}

    def parts(self) -> list[str]:
        """Parts of `clips`, sorted."""
        return self.wide.parts()

    def read(self, part: str, columns: Iterable[str]) -> pa.Table:
        """These columns of one part, row by row what they say of its clips: each table's ids are compared.

        Raises:
            ValueError: a file is missing, damaged, or does not mirror `clips`; names the file.
        """
        columns = list(columns)
        told = [name for name in self.sources(columns) if name in self.users]
        known = [name for name in self.sources(columns) if name not in told]
        wanted: dict[str, list[str]] = {"clips": []}
        for name in dict.fromkeys([*known, *(["video_id"] if told else [LENGTH])]):
            wanted.setdefault(self.wide.homes[name], []).append(name)
        found = read_side_by_side(self.wide.corpus, part, wanted, self.wide.made_by)
        rows = pa.table(found, schema=pa.schema([self.wide.fields[name] for name in found]))
        if told:
            users = {name: self.users[name] for name in told}
            for name, values in self._of_files(part, rows["video_id"], users).items():
                rows = rows.append_column(name, values)
        return self.complete(rows, columns)

    def _of_files(
        self, part: str, video_ids: pa.ChunkedArray, users: dict[str, pa.DataType]
    ) -> dict[str, pa.ChunkedArray]:
        """What the user's table says of the file that each clip comes from."""
        corpus = self.wide.corpus
        videos = corpus.read("videos", part, ["video_id", "path"])
        told = of_files(corpus, part, videos["path"], users)
        place = pc.index_in(video_ids, value_set=videos["video_id"])
        return {name: told[name].take(place) for name in users}


def selectable(corpus: Corpus, scorers: Iterable[str], wanted: Iterable[str]) -> Selectable:
    """The columns that rules over this corpus can name.

    Args:
        corpus: the tables.
        scorers: names of the score tables.
        wanted: columns that rules name; the user's are looked for where one of them is no other.

    Raises:
        ValueError: a score table has no part yet, or two tables hold columns of one name.
    """
    wide = join(corpus, [*scorers, "dedup"])
    others = set(wanted) - wide.fields.keys()
    users = user_columns(corpus, others) if others else {}
    return Selectable(wide, {name: dtype for name, dtype in users.items() if name not in wide.fields})


def declared(corpus: Corpus, config: CurateConfig, listed: pa.Table | None) -> dict[str, pa.DataType]:
    """The columns that rules will be able to name once all jobs before `filter` have run.

    Args:
        corpus: as it stands.
        config: its scorers say what they write.
        listed: files that are about to be split; None for none.

    Raises:
        ValueError: as `user_columns`, or a rule names `bucket` and that could be two things.
    """
    scores = [each for name, scorer in config.scorers.items() for each in score_schema(name, scorer)]
    known = {each.name: each.type for each in [*CLIPS, *DEDUP, *scores] if not types.is_nested(each.type)}
    used = {name: {c for rule in rules.rules for c in columns_of(rule)} for name, rules in config.sets.items()}
    others = {column for columns in used.values() for column in columns} - known.keys()
    users = user_columns(corpus, others) if others else {}
    new = extra_columns(listed.schema) if listed is not None else []
    known = {each.name: each.type for each in new} | users | known
    bucketed = [name for name in config.sets if config.pack_of(name).buckets]
    for name in bucketed:
        if BUCKET in known and BUCKET in used[name]:
            raise ValueError(_two_buckets(name, "a scorer or your table"))
    return ({BUCKET: pa.string()} if bucketed else {}) | known


def _two_buckets(name: str, home: str) -> str:
    return (
        f"sets.{name}: a rule names `{BUCKET}`, which is what the set is packed for, and a column of {home} as well; "
        f"rename that column, or take away the buckets of the set (`pack: {{buckets: null}}`)"
    )
