"""A scorer held to its word: declared columns only, and exceptions become null scores with a reason."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import logging
import traceback
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from curation.child_error import is_out_of_gpu_memory
from curation.scorer import Frames, Misfit, Scorer
from shards.schema import CLIP_ID, field

logger = logging.getLogger(__name__)

MIN_TELLING_CLIPS = 3  # fewer may all be broken by chance
MAX_BROKEN_CLIPS = 20  # a scorer that has raised for its first so many clips is broken itself


def table_name(name: str) -> str:
    """Folder of a scorer's table."""
    return f"scores/{name}"


def score_schema(name: str, scorer: Scorer) -> pa.Schema:
    """Columns of a scorer's table: the clip, its scores, and why they are null."""
    error = field(f"{name}_error", pa.string(), f"why the scores of `{name}` are null; null when all went well")
    return pa.schema([CLIP_ID, *scorer.writes, error])


def _not_finite(values: pa.Array) -> pa.Array:
    """Where a float is NaN or infinite, bool without nulls; a null is neither."""
    return pc.invert(pc.fill_null(pc.is_finite(values.cast(pa.float64())), True))


class ContractError(RuntimeError):
    """A scorer did not give what it declares."""


class SafeScore:
    """A loaded scorer that is held to its word, and whose exceptions become null scores with a reason."""

    def __init__(self, name: str, scorer: Scorer) -> None:
        self._name, self._scorer, self._score = name, scorer, scorer.build()
        self._num_good = self._num_broken = 0
        self._part_error: Exception | None = None
        self._first_error: str | None = None

    def empty(self) -> pa.Table:
        """Its table with no rows."""
        return score_schema(self._name, self._scorer).empty_table()

    def whole(self, tables: list[pa.Table]) -> pa.Table:
        """The scores of all runs of clips of a part as one table; the part ends with it.

        Raises:
            RuntimeError: the scorer raised, and none of several clips came out well: it is the scorer that is broken.
        """
        table = pa.concat_tables([self.empty(), *tables])
        error, self._part_error = self._part_error, None
        if error is not None and len(table) >= MIN_TELLING_CLIPS and not table[f"{self._name}_error"].null_count:
            raise RuntimeError(
                f"scorer {self._name} raised and scored none of the {len(table)} clips of a part: "
                f"{type(error).__name__}: {error}\n{_trace(error)}"
            ) from error
        return table

    def __call__(self, clips: pa.Table, frames: Sequence[Frames]) -> pa.Table:
        """Scores of the clips: a table of `score_schema`.

        Raises:
            RuntimeError: the scorer gave other columns or lengths than it declares, or raised for every clip so far.
            Misfit: what it reads does not fit it.
        """
        table = clips.select(list(self._scorer.reads))
        try:
            columns = self._columns(table, frames)
        except Misfit as error:
            raise Misfit(f"scorers.{self._name}: {error}") from error
        error, schema = columns.pop("error"), score_schema(self._name, self._scorer)
        scores = {field.name: pa.array(columns[field.name], field.type) for field in self._scorer.writes}
        for name, values in scores.items():
            if pa.types.is_floating(values.type):
                odd = _not_finite(values)
                scores[name] = pc.if_else(odd, None, values)
                error = pc.if_else(pc.and_(odd, error.is_null()), f"not a number: {name}", error)
        return pa.table([clips["clip_id"], *scores.values(), error], schema=schema)

    def _columns(self, table: pa.Table, frames: Sequence[Frames]) -> dict:
        try:
            return self._checked(self._score(table, frames), len(frames))
        except (ContractError, Misfit):
            raise
        except Exception as error:
            logger.warning("scorer %s raised %r; scoring these clips one by one", self._name, error)
            return self._one_by_one(table, frames)

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

    def _one_by_one(self, table: pa.Table, frames: Sequence[Frames]) -> dict:
        rows = [self._alone(table.slice(row, 1), clip) for row, clip in enumerate(frames)]
        columns = {name: [row[name] for row in rows] for name in self._scorer.writes.names}
        return columns | {"error": pa.array([row["error"] for row in rows], pa.string())}

    def _alone(self, table: pa.Table, clip: Frames) -> dict:
        try:
            return {name: values[0] for name, values in self._score_one(table, clip).items()}
        except (ContractError, Misfit):
            raise
        except Exception as error:
            if is_out_of_gpu_memory(error):  # of the machine, not of the clip
                raise RuntimeError(
                    f"scorer {self._name} has no GPU memory left for a single clip: {error}. What is finished stands. "
                    "Free the GPU, or raise the scorer's `resources.gpus` so that fewer workers share it; then the "
                    "same command goes on"
                ) from error
            self._num_broken += 1
            self._part_error = self._part_error or error
            self._first_error = self._first_error or _trace(error)
            if not self._num_good and self._num_broken >= MAX_BROKEN_CLIPS:
                raise RuntimeError(
                    f"scorer {self._name} raised for each of its first {self._num_broken} clips; for the first one:\n"
                    f"{self._first_error}"
                ) from error
            return dict.fromkeys(self._scorer.writes.names) | {"error": f"{type(error).__name__}: {error}"}

    def _score_one(self, table: pa.Table, clip: Frames) -> dict:
        columns = self._checked(self._score(table, [clip]), 1)
        return columns | {"error": columns["error"].to_pylist()}


def _trace(error: Exception) -> str:
    """Where it came from, in words: an exception that comes from another process has lost that."""
    return "".join(traceback.format_exception(error)).rstrip()
