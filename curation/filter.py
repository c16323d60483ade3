"""Job 4: the rules of each set read the scores and say which clips are rejected, and by what. It alone rejects.

A rule becomes bounds, each with its own reason; a clip fails a bound or it does not, whatever the others say. So does
one on the block list. Only the choice among duplicates looks at the other reasons, so it comes last.
"""

from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from curation.block import blocked_videos, digest, is_blocked, read_block_list
from curation.bounds import bounds_of
from curation.config import CurateConfig, RuleSet
from curation.dedup import spare_rows
from curation.engine import Counts
from curation.guard import config_hash
from curation.joined import KEY
from curation.judge import Reasons, Summary, sum_up
from curation.loud import count_spoken, tell_kept, tell_missing
from curation.quantiles import Population, resolver
from curation.rule import stated
from curation.rules import check, columns_of
from curation.selectable import LENGTH, Selectable, selectable
from curation.tables import Corpus
from curation.thresholds import RECORD, Thresholds, read_thresholds
from shards.schema import VERDICTS
from shards.store import remove_folder, write_json


@dataclass
class Judged:
    """A rule set over all clips of a corpus."""

    name: str
    rule_set: RuleSet
    columns: Selectable
    reasons: Reasons
    thresholds: Thresholds | None
    bits: np.ndarray = field(init=False)
    """(clips, bytes) which reasons hold, as `Reasons.judge` packs them."""
    part_sizes: list[int] = field(init=False)
    """Clips of each part."""
    summary: Summary = field(init=False)
    """How many clips, and of what length, have which reasons."""

    def used(self) -> list[str]:
        """The columns that its rules name."""
        return [column for rule in self.rule_set.rules for column in columns_of(rule)]

    @property
    def kind(self) -> str | None:
        """The kind of duplicates that it drops."""
        return {"best": "duplicate", "keep": None}.get(self.rule_set.duplicates, self.rule_set.duplicates)

    def duplicate_columns(self) -> dict[str, str]:
        """Columns that say which clips have duplicates, and what `spare_rows` calls them."""
        return {f"{self.kind}_group": "group", f"{self.kind}_rank": "rank"} if self.kind else {}


@dataclass(frozen=True)
class _Found:
    """What was found in one part."""

    clips: int
    bits: list[np.ndarray]
    """For each set."""
    spoken: list[np.ndarray]
    """For each set what `count_spoken` says."""
    members: dict[str, pa.Table]
    """Kind of duplicates -> clips that have some: `group`, `rank`, and `row` in the part."""


def run(corpus: Corpus, config: CurateConfig) -> dict[str, Counts]:
    """Writes `verdicts/<set>` for every set of the config, and beside the parts `rules.json`: how it came about.

    Old verdicts of these sets are removed; `rules.json` is written last, so a folder without it is not whole. Holds
    one column at a time, and of each clip and set a bit a reason.

    Returns:
        For each set `clips`, `kept` and `rejected`; the last two sum to the first.

    Raises:
        ValueError: a rule is wrong or names no column, or a score table does not mirror `clips`; nothing was written.
    """
    return {name: judged.summary.counts() for name, judged in judge_sets(corpus, config).items()}


def judge_sets(corpus: Corpus, config: CurateConfig, write: bool = True) -> dict[str, Judged]:
    """The same; with `write` false it only looks, and writes nothing.

    Returns:
        For each set all that was said of the clips.
    """
    rules = [rule for rule_set in config.sets.values() for rule in rule_set.rules]
    columns = selectable(corpus, config.scorers, [column for rule in rules for column in columns_of(rule)])
    entries = read_block_list(config.block_list)
    sets = _prepare_all(columns, config, bool(entries))
    _judge(columns, sets, entries)
    for judged in sets:
        _tell_parts(judged, write)
        if write:
            write_json(corpus.folder(f"verdicts/{judged.name}") / RECORD, _record(judged, entries))
        tell_kept(judged.name, judged.rule_set, judged.summary)
    return {judged.name: judged for judged in sets}


def _prepare_all(columns: Selectable, config: CurateConfig, is_blocking: bool) -> list[Judged]:
    last: dict[str, Population] = {}
    return [_prepare(columns, config, name, is_blocking, last) for name in config.sets]


def _prepare(
    columns: Selectable, config: CurateConfig, name: str, is_blocking: bool, last: dict[str, Population]
) -> Judged:
    """Checks a set and resolves its shares."""
    rule_set, columns = config.sets[name], replace(columns, pack=config.pack_of(name))
    columns.refuse_two_buckets(name, [column for rule in rule_set.rules for column in columns_of(rule)])
    check(name, rule_set, columns.types)
    thresholds = read_thresholds(rule_set.thresholds, name) if rule_set.thresholds else None
    resolve = resolver(columns, last)
    if thresholds:
        resolve = lambda rule, kind: thresholds.limit(columns, rule, kind)  # noqa: E731
    try:
        bounds = [bound for rule in rule_set.rules for bound in bounds_of(rule, resolve)]
    except ValueError as error:
        raise ValueError(f"sets.{name}: {error}") from error
    return Judged(name, rule_set, columns, Reasons(bounds, is_blocking), thresholds)


def _judge(columns: Selectable, sets: list[Judged], entries: frozenset[str]) -> None:
    """Fills in what is said of every clip, reading each part once for all sets."""
    kinds = {judged.kind: judged.duplicate_columns() for judged in sets if judged.kind}
    used = [column for judged in sets for column in judged.columns.sources(judged.used())]
    used += [column for names in kinds.values() for column in names]
    videos = blocked_videos(columns.wide.corpus, entries)

    def of_part(part: str) -> _Found:
        rows = columns.read(part, [*used, *([KEY, "video_id"] if entries else [])])
        blocked = is_blocked(rows, entries, videos).to_numpy() if entries else None
        told = [_judge_part(judged, rows, blocked) for judged in sets]
        members = {kind: _members(rows, names) for kind, names in kinds.items()}
        return _Found(len(rows), [bits for bits, _ in told], [spoken for _, spoken in told], members)

    bits = [[np.zeros((0, judged.reasons.num_bytes), np.uint8)] for judged in sets]
    spoken = [np.zeros((len(judged.rule_set.rules), 2), np.int64) for judged in sets]
    members: dict[str, list[pa.Table]] = {kind: [] for kind in kinds}
    sizes, start = [], 0
    for found in columns.each(of_part):
        for kind, table in found.members.items():
            members[kind].append(_counted_from(start, table))
        for place in range(len(sets)):
            bits[place].append(found.bits[place])
            spoken[place] += found.spoken[place]
        sizes.append(found.clips)
        start += found.clips
    for judged, told in zip(sets, spoken, strict=True):
        judged.bits, judged.part_sizes = np.concatenate(bits.pop(0)), sizes  # of one set at a time there are two
        if judged.kind and sizes:
            _choose_duplicates(judged, pa.concat_tables(members[judged.kind]))
        tell_missing(judged.name, judged.rule_set.rules, told, len(judged.bits))


def _judge_part(judged: Judged, rows: pa.Table, blocked: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    rows = judged.columns.complete(rows, judged.used())
    return judged.reasons.judge(rows, blocked), count_spoken(judged.rule_set.rules, rows)


def _members(rows: pa.Table, names: dict[str, str]) -> pa.Table:
    """Clips that have duplicates in one sense."""
    found = rows.select(list(names)).rename_columns(list(names.values()))
    found = found.append_column("row", pa.array(np.arange(len(rows))))
    return found.filter(found["group"].is_valid())


def _counted_from(start: int, members: pa.Table) -> pa.Table:
    """With rows of the corpus in place of those of the part."""
    return members.drop_columns("row").append_column("row", pa.array(members["row"].to_numpy() + start))


def _choose_duplicates(judged: Judged, members: pa.Table) -> None:
    """Rejects the spare clips among those that have duplicates in the sense of the set."""
    if len(members):
        passed = ~judged.bits[members["row"].to_numpy()].any(axis=1)
        judged.reasons.add_duplicates(judged.bits, spare_rows(members.append_column("passed", pa.array(passed))))


def _tell_parts(judged: Judged, write: bool) -> None:
    """Sums up what is said of the clips of each part, and writes it."""
    corpus, table = judged.columns.wide.corpus, f"verdicts/{judged.name}"
    ends = dict(zip(judged.columns.parts(), np.cumsum(judged.part_sizes).tolist(), strict=True))
    if write:
        remove_folder(corpus.folder(table))

    def of_part(part: str) -> Summary:
        clips = corpus.read("clips", part, [LENGTH, *([KEY] if write else [])])
        mine = judged.bits[ends[part] - len(clips) : ends[part]]
        summary, rejected_by = sum_up(judged.reasons, mine, clips[LENGTH].fill_null(0.0).to_numpy())
        if write:
            corpus.write(table, part, clips.select([KEY]).append_column("rejected_by", rejected_by), VERDICTS)
        return summary

    judged.summary = Summary(judged.reasons)
    for summary in judged.columns.each(of_part):
        judged.summary.add(summary)


def _record(judged: Judged, entries: frozenset[str]) -> dict:
    """What `rules.json` says."""
    rule_set, reasons, summary = judged.rule_set, judged.reasons, judged.summary
    rules = [stated(rule) for rule in rule_set.rules]
    carried = judged.thresholds
    drawn = [bound for bound in reasons.bounds if bound.kind not in ("null", "is_null")]
    resolved = {bound.reason: bound.record(judged.columns.makers_of(columns_of(bound.rule))) for bound in drawn}
    kept = np.packbits(~judged.bits.any(axis=1))
    return {
        "rules": rules,
        "duplicates": rule_set.duplicates,
        "thresholds": carried and carried.identity(),
        "config_hash": config_hash([rules, rule_set.duplicates, carried and carried.content()]),
        "block_list": digest(entries),
        "kept_hash": blake2b(kept.tobytes(), digest_size=8).hexdigest(),
        "resolved": list(resolved.values()),
        "counts": summary.counts(),
        "reasons": summary.by_reason(),
    }
