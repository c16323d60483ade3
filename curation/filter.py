"""Job 4: the rules of each set read the scores and say which clips are rejected, and by what. It alone rejects.

A rule becomes bounds, each with its own reason; a clip fails a bound or it does not, whatever the others say. Only the
choice among duplicates looks at the other reasons, so it comes last.
"""

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from fractions import Fraction
from hashlib import blake2b
from typing import Literal

import numpy as np
import pyarrow as pa

from curation.config import CurateConfig, Rule, RuleSet
from curation.dedup import spare_rows
from curation.engine import Counts
from curation.guard import config_hash, describe
from curation.joined import KEY, Joined, join
from curation.tables import Corpus
from shards.schema import VERDICTS
from shards.store import write_json

logger = logging.getLogger(__name__)

DUPLICATE = "duplicate"
MANY_NULLS = 0.5
Kind = Literal["min", "max", "drop_bottom", "drop_top", "null"]
SIDES: tuple[Kind, ...] = ("min", "max", "drop_bottom", "drop_top")
QUANTILES: tuple[Kind, ...] = ("drop_bottom", "drop_top")


@dataclass(frozen=True)
class Bound:
    """One way in which a clip can fail; its reason is `<column>:<kind>`."""

    column: str
    kind: Kind
    limit: float | None
    """`min`, `drop_bottom`: fails below it. `max`, `drop_top`: fails above it. None: no value fails."""

    @property
    def reason(self) -> str:
        """What `rejected_by` says."""
        return f"{self.column}:{self.kind}"

    def fails(self, values: np.ndarray) -> np.ndarray:
        """Which of the values, (rows,) numbers with NaN for null, fail: (rows,) bool. NaN fails `null` alone."""
        if self.kind == "null":
            return np.isnan(values)
        if self.limit is None:
            return np.zeros(len(values), bool)
        return values < self.limit if self.kind in ("min", "drop_bottom") else values > self.limit


@dataclass(frozen=True)
class Verdict:
    """What a rule set says of every clip of a corpus."""

    bounds: list[Bound]
    failed: np.ndarray
    """(reasons, rows) bool: which clip failed what."""

    @property
    def reasons(self) -> list[str]:
        """One for each row of `failed`: the bounds' in order, then `duplicate`."""
        return [*(bound.reason for bound in self.bounds), DUPLICATE]

    def counts(self) -> Counts:
        """`clips`, `kept` and `rejected`; the last two sum to the first."""
        clips, rejected = self.failed.shape[1], int(np.count_nonzero(self.failed.any(axis=0)))
        return {"clips": clips, "kept": clips - rejected, "rejected": rejected}

    def by_reason(self) -> dict[str, Counts]:
        """For each reason the `clips` that have it, and those that have it `alone`."""
        hits = self.failed.sum(axis=1)
        alone = self.failed[:, self.failed.sum(axis=0, dtype=np.uint16) == 1].sum(axis=1)
        return {reason: {"clips": int(hits[i]), "alone": int(alone[i])} for i, reason in enumerate(self.reasons)}


def run(corpus: Corpus, config: CurateConfig) -> dict[str, Counts]:
    """Writes `verdicts/<set>` for every set of the config, and beside the parts `rules.json`: how it came about.

    Old verdicts of these sets are removed; `rules.json` is written last, so a folder without it is not whole. Holds
    one column at a time and a byte a clip and reason.

    Returns:
        For each set `clips`, `kept` and `rejected`; the last two sum to the first.

    Raises:
        ValueError: a rule is wrong or names no column, or a score table does not mirror `clips`; nothing was written.
    """
    wide = join(corpus, [*config.scorers, "dedup"])
    for name, rule_set in config.sets.items():
        check(name, rule_set, wide.numeric())
    used = {rule.column for rule_set in config.sets.values() for rule in rule_set.rules}
    rows = wide.prove([*used, "duplicate_group"])
    members = _members(wide)
    return {name: _filter_set(wide, name, rule_set, rows, members) for name, rule_set in config.sets.items()}


def check(name: str, rule_set: RuleSet, columns: Sequence[str]) -> None:
    """Refuses a set whose rules make no sense or name a column that is none of `columns`.

    Raises:
        ValueError: names the set, the rule, and what is possible.
    """
    stated: Counter[tuple[str, Kind]] = Counter()
    for rule in rule_set.rules:
        where = f"sets.{name}: rule on `{rule.column}`"
        if rule.column not in columns:
            close = get_close_matches(rule.column, columns)
            others = [column for column in sorted(columns) if column not in close]
            raise ValueError(f"{where}: no such column of numbers; there are {', '.join([*close, *others])}")
        if fault := _fault(rule):
            raise ValueError(f"{where}: {fault}")
        stated.update((rule.column, kind) for kind in _sides(rule))
    for (column, kind), times in stated.items():
        if times > 1:
            raise ValueError(f"sets.{name}: {times} rules state `{kind}` for `{column}`; keep one")


def judge(rule_set: RuleSet, rows: int, read: Callable[[str], np.ndarray], members: pa.Table) -> Verdict:
    """Applies a rule set that `check` let pass to all clips of a corpus.

    Args:
        rule_set: its rules, each independent of the others.
        rows: number of clips.
        read: gives a column as (rows,) numbers, NaN for null.
        members: clips that have duplicates: `row`, `duplicate_group`, `duplicate_rank`.
    """
    failed: dict[Bound, np.ndarray] = {}
    for rule in rule_set.rules:
        values = read(rule.column)
        # Two rules on one column may both reject nulls: that is one bound.
        failed |= {bound: bound.fails(values) for bound in resolve(rule, values[~np.isnan(values)])}
    matrix = np.zeros((len(failed) + 1, rows), bool)
    for index, mask in enumerate(failed.values()):
        matrix[index] = mask
    if rule_set.duplicates == "best":
        passed = np.logical_not(matrix[:, members["row"].to_numpy()].any(axis=0))
        matrix[-1, spare_rows(members.append_column("passed", pa.array(passed)))] = True
    return Verdict(list(failed), matrix)


def quantile(values: np.ndarray, share: float, top: bool = False) -> float | None:
    """The value at which a share of the lowest (or, with `top`, highest) values ends; it is one of the values.

    Let v[0] <= ... <= v[n-1] be the values and k = floor(share * n), at most n - 1: v[k], or v[n-1-k] with `top`.
    Exactly k values lie beyond it if its neighbour on that side differs from it, else fewer: ties stay. None if n = 0.

    Args:
        values: (n,) numbers, no NaN.
        share: 0..1, taken as the decimal that was written (0.29 of 100 is 29).
    """
    if not len(values):
        return None
    k = min(int(Fraction(str(share)) * len(values)), len(values) - 1)
    k = len(values) - 1 - k if top else k
    return np.partition(values, k)[k].item()


def resolve(rule: Rule, values: np.ndarray) -> list[Bound]:
    """The rule's bounds with their numbers.

    Args:
        rule: a rule that `check` let pass.
        values: (n,) the column's values over the whole set, no NaN; only quantiles read them.
    """
    limits: dict[Kind, float | None] = {
        kind: quantile(values, stated, top=kind == "drop_top") if kind in QUANTILES else stated
        for kind, stated in _sides(rule).items()
    }
    bounds = [Bound(rule.column, kind, limit) for kind, limit in limits.items()]
    return bounds + ([Bound(rule.column, "null", None)] if rule.if_null == "reject" else [])


def numbers(column: pa.ChunkedArray) -> np.ndarray:
    """A column as (rows,) numbers with NaN for null; floats keep their width, so that a limit of 0.7 keeps a 0.7."""
    return (column if pa.types.is_floating(column.type) else column.cast(pa.float64())).to_numpy()


def reason_lists(failed: np.ndarray, reasons: Sequence[str]) -> pa.ListArray:
    """The reasons of each clip, list<string>, in the order of `reasons`.

    Args:
        failed: (reasons, rows) bool.
        reasons: what each row of `failed` stands for.
    """
    offsets = np.concatenate([[0], np.cumsum(failed.sum(axis=0))]).astype(np.int32)
    picked = pa.array(np.nonzero(failed.T)[1])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(reasons, pa.string()).take(picked))


def _sides(rule: Rule) -> dict[Kind, float]:
    sides: dict[Kind, float | None] = {kind: getattr(rule, kind) for kind in SIDES}
    return {kind: stated for kind, stated in sides.items() if stated is not None}


def _fault(rule: Rule) -> str | None:
    sides = _sides(rule)
    shares = [sides[kind] for kind in QUANTILES if kind in sides]
    if not sides:
        return "it has no bound; give min, max, drop_bottom or drop_top"
    if any(np.isnan(stated) for stated in sides.values()):
        return "a bound is not a number"
    if any(not 0 <= share <= 1 for share in shares) or sum(shares) > 1:
        return f"a share to drop lies in 0..1, and both sides together too; it says {shares}"
    if sides.get("min", -np.inf) > sides.get("max", np.inf):
        return f"min {rule.min} is above max {rule.max}, so nothing could pass"
    return None


def _members(wide: Joined) -> pa.Table:
    group = wide.column("duplicate_group")
    rows = pa.array(np.flatnonzero(group.is_valid().to_numpy()))
    members = {"duplicate_group": group.drop_null(), "duplicate_rank": wide.column("duplicate_rank").drop_null()}
    return pa.table({"row": rows, **members})


def _filter_set(wide: Joined, name: str, rule_set: RuleSet, rows: int, members: pa.Table) -> Counts:
    verdict = judge(rule_set, rows, lambda column: _read_loud(wide, name, column), members)
    table = f"verdicts/{name}"
    shutil.rmtree(wide.corpus.folder(table), ignore_errors=True)
    start = 0
    for part in wide.parts():
        clip_ids = wide.read(part, [KEY])
        mine = verdict.failed[:, start : start + len(clip_ids)]
        rejected_by = reason_lists(mine, verdict.reasons)
        wide.corpus.write(table, part, clip_ids.append_column("rejected_by", rejected_by), VERDICTS)
        start += len(clip_ids)
    write_json(wide.corpus.folder(table) / "rules.json", _record(rule_set, verdict))
    if not verdict.counts()["kept"]:
        logger.warning("set %s KEEPS NOTHING of %d clips: see its rules.json for what each rule rejects", name, rows)
    return verdict.counts()


def _read_loud(wide: Joined, name: str, column: str) -> np.ndarray:
    """The column; warns if most of it is missing."""
    values = numbers(wide.column(column))
    missing = int(np.count_nonzero(np.isnan(values)))
    if missing > MANY_NULLS * len(values):
        logger.warning("set %s: `%s` is MISSING for %d of %d clips", name, column, missing, len(values))
    return values


def _record(rule_set: RuleSet, verdict: Verdict) -> dict:
    kept = np.packbits(~verdict.failed.any(axis=0))
    bounds = [{"reason": bound.reason, "limit": bound.limit} for bound in verdict.bounds if bound.kind != "null"]
    return {
        **asdict(rule_set),
        "config_hash": config_hash(describe(rule_set)),
        "kept_hash": blake2b(kept.tobytes(), digest_size=8).hexdigest(),
        "resolved": bounds,
        "counts": verdict.counts(),
        "reasons": verdict.by_reason(),
    }
