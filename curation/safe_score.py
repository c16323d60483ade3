"""A scorer held to its word: declared columns only, and exceptions become null scores with a reason."""

import logging

import pyarrow as pa

from curation.scorer import Frames, Scorer
from shards.schema import CLIP_ID, field

logger = logging.getLogger(__name__)

MAX_BROKEN_CLIPS = 20  # a scorer that has raised for its first so many clips is broken itself


def table_name(name: str) -> str:
    """Folder of a scorer's table."""
    return f"scores/{name}"


def score_schema(name: str, scorer: Scorer) -> pa.Schema:
    """Columns of a scorer's table: the clip, its scores, and why they are null."""
    error = field(f"{name}_error", pa.string(), f"why the scores of `{name}` are null; null when all went well")
    return pa.schema([CLIP_ID, *scorer.writes, error])


class ContractError(RuntimeError):
    """A scorer did not give what it declares."""


class SafeScore:
    """A loaded scorer that is held to its word, and whose exceptions become null scores with a reason."""

    def __init__(self, name: str, scorer: Scorer) -> None:
        self._name, self._scorer, self._score = name, scorer, scorer.build()
        self._num_good = self._num_broken = 0

    def empty(self) -> pa.Table:
        """Its table with no rows."""
        return score_schema(self._name, self._scorer).empty_table()

    def __call__(self, clips: pa.Table, frames: list[Frames]) -> pa.Table:
        """Scores of the clips: a table of `score_schema`.

        Raises:
            RuntimeError: the scorer gave other columns or lengths than it declares, or raised for every clip so far.
        """
        table = clips.select(list(self._scorer.reads))
        try:
            columns = self._checked(self._score(table, frames), len(clips))
        except ContractError:
            raise
        except Exception as error:
            logger.warning("scorer %s raised %r; scoring these clips one by one", self._name, error)
            columns = self._one_by_one(table, frames)
        error = columns.pop("error")
        schema = score_schema(self._name, self._scorer)
        arrays = [clips["clip_id"], *(pa.array(columns[c], self._scorer.writes.field(c).type) for c in columns), error]
        names = ["clip_id", *columns, f"{self._name}_error"]
        return pa.table(dict(zip(names, arrays, strict=True))).select(schema.names).cast(schema)

    def _checked(self, columns: dict, num_clips: int) -> dict:
        wanted = set(self._scorer.writes.names)
        columns = {"error": [None] * num_clips, **columns}
        lengths = {name: len(values) for name, values in columns.items()}
        if set(columns) != wanted | {"error"} or set(lengths.values()) != {num_clips}:
            raise ContractError(
                f"scorer {self._name} gave {lengths} for {num_clips} clips; it declares {sorted(wanted)}"
            )
        columns["error"] = pa.array(columns["error"], pa.string())
        self._num_good += num_clips - len(columns["error"]) + columns["error"].null_count
        return columns

    def _one_by_one(self, table: pa.Table, frames: list[Frames]) -> dict:
        rows = [self._alone(table.slice(row, 1), clip) for row, clip in enumerate(frames)]
        columns = {name: [row[name] for row in rows] for name in self._scorer.writes.names}
        return columns | {"error": pa.array([row["error"] for row in rows], pa.string())}

    def _alone(self, table: pa.Table, clip: Frames) -> dict:
        try:
            return {name: values[0] for name, values in self._score_one(table, clip).items()}
        except ContractError:
            raise
        except Exception as error:
            self._num_broken += 1
            if not self._num_good and self._num_broken >= MAX_BROKEN_CLIPS:
                raise RuntimeError(
                    f"scorer {self._name} raised for each of its first {self._num_broken} clips"
                ) from error
            return dict.fromkeys(self._scorer.writes.names) | {"error": f"{type(error).__name__}: {error}"}

    def _score_one(self, table: pa.Table, clip: Frames) -> dict:
        columns = self._checked(self._score(table, [clip]), 1)
        return columns | {"error": columns["error"].to_pylist()}
