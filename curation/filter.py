"""Job 4: the rules of each set read the scores and say which clips are rejected, and by what. It alone rejects.

A rule becomes bounds, each with its own reason; a clip fails a bound or it does not, whatever the others say. So does
one on the block list. Only the choice among duplicates looks at the other reasons, so it comes last.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from curation.block import REASON as BLOCKED
from curation.block import blocked_videos, digest, is_blocked, read_block_list
from curation.config import CurateConfig, RuleSet
from curation.dedup import spare_rows
from curation.engine import Counts
from curation.guard import config_hash, describe
from curation.joined import KEY, Joined, join
from curation.rules import Bound, check, resolve
from curation.tables import Corpus
from shards.schema import VERDICTS
from shards.store import remove_folder, write_json

logger = logging.getLogger(__name__)

DUPLICATE = "duplicate"
MANY_NULLS = 0.5


@dataclass(frozen=True)
class Verdict:
    """What a rule set says of every clip of a corpus."""

    bounds: list[Bound]
    failed: np.ndarray
    """(reasons, rows) bool: which clip failed what."""
    is_blocking: bool = False
    """Whether there is a block list."""

    @property
    def reasons(self) -> list[str]:
        """One for each row of `failed`: the bounds' in order, then `blocked` with a block list, then `duplicate`."""
        return [*(bound.reason for bound in self.bounds), *([BLOCKED] if self.is_blocking else []), DUPLICATE]

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
    members = {name: _members(wide, rule_set.duplicates) for name, rule_set in config.sets.items()}
    about = _About(rows, members, entries := read_block_list(config.block_list), _blocked(wide, entries))
    return {name: _filter_set(wide, name, rule_set, about) for name, rule_set in config.sets.items()}


@dataclass(frozen=True)
class _About:
    """What all sets of a corpus have in common."""

    rows: int
    members: dict[str, pa.Table]
    """For each set, those that have duplicates in its sense."""
    entries: frozenset[str]
    blocked: np.ndarray | None


def _blocked(wide: Joined, entries: frozenset[str]) -> np.ndarray | None:
    """Which clips are on the block list, (rows,) bool; None without one."""
    if not entries:
        return None
    videos = blocked_videos(wide.corpus, entries)
    parts = [is_blocked(wide.read(part, [KEY, "video_id"]), entries, videos).to_numpy() for part in wide.parts()]
    return np.concatenate([np.zeros(0, bool), *parts])


def judge(
    rule_set: RuleSet,
    rows: int,
    read: Callable[[str], np.ndarray],
    members: pa.Table,
    blocked: np.ndarray | None = None,
) -> Verdict:
    """Applies a rule set that `check` let pass to all clips of a corpus.

    Args:
        rule_set: its rules, each independent of the others.
        rows: number of clips.
        read: gives a column as (rows,) numbers, NaN for null.
        members: clips that have duplicates: `row`, `group`, `rank`.
        blocked: (rows,) bool, which clips are on the block list; None where there is none.
    """
    failed: dict[Bound, np.ndarray] = {}
    for rule in rule_set.rules:
        values = read(rule.column)
        # Two rules on one column may both reject nulls: that is one bound.
        failed |= {bound: bound.fails(values) for bound in resolve(rule, values[~np.isnan(values)])}
    masks = [*failed.values(), *([] if blocked is None else [blocked])]
    matrix = np.zeros((len(masks) + 1, rows), bool)
    for index, mask in enumerate(masks):
        matrix[index] = mask
    passed = np.logical_not(matrix[:, members["row"].to_numpy()].any(axis=0))
    matrix[-1, spare_rows(members.append_column("passed", pa.array(passed)))] = True
    return Verdict(list(failed), matrix, blocked is not None)


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


def _members(wide: Joined, duplicates: str) -> pa.Table:
    """The clips that have duplicates in the sense of a set's `duplicates`; none for `keep`."""
    kind = {"best": "duplicate", "keep": "exact"}.get(duplicates, duplicates)
    group, rank = wide.column(f"{kind}_group"), wide.column(f"{kind}_rank")
    members = pa.table({"row": np.flatnonzero(group.is_valid()), "group": group.drop_null(), "rank": rank.drop_null()})
    return members.slice(0, 0) if duplicates == "keep" else members


def _filter_set(wide: Joined, name: str, rule_set: RuleSet, about: _About) -> Counts:
    members = about.members[name]
    verdict = judge(rule_set, about.rows, lambda column: _read_loud(wide, name, column), members, about.blocked)
    table = f"verdicts/{name}"
    remove_folder(wide.corpus.folder(table))
    start = 0
    for part in wide.parts():
        clip_ids = wide.read(part, [KEY])
        mine = verdict.failed[:, start : start + len(clip_ids)]
        rejected_by = reason_lists(mine, verdict.reasons)
        wide.corpus.write(table, part, clip_ids.append_column("rejected_by", rejected_by), VERDICTS)
        start += len(clip_ids)
    write_json(wide.corpus.folder(table) / "rules.json", _record(rule_set, verdict, about.entries))
    if not verdict.counts()["kept"]:
        logger.warning(
            "set %s KEEPS NOTHING of %d clips: see its rules.json for what each rule rejects", name, about.rows
        )
    return verdict.counts()


def _read_loud(wide: Joined, name: str, column: str) -> np.ndarray:
    """The column; warns if most of it is missing."""
    values = numbers(wide.column(column))
    missing = int(np.count_nonzero(np.isnan(values)))
    if missing > MANY_NULLS * len(values):
        logger.warning("set %s: `%s` is MISSING for %d of %d clips", name, column, missing, len(values))
    return values


def _record(rule_set: RuleSet, verdict: Verdict, entries: frozenset[str]) -> dict:
    kept = np.packbits(~verdict.failed.any(axis=0))
    bounds = [{"reason": bound.reason, "limit": bound.limit} for bound in verdict.bounds if bound.kind != "null"]
    return {
        **{name: value for name, value in asdict(rule_set).items() if name != "pack"},
        "config_hash": config_hash(describe(rule_set)),
        "block_list": digest(entries),
        "kept_hash": blake2b(kept.tobytes(), digest_size=8).hexdigest(),
        "resolved": bounds,
        "counts": verdict.counts(),
        "reasons": verdict.by_reason(),
    }
