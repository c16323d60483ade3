"""Job 4: the rules of each set read the scores and say which clips are rejected, and by what. It alone rejects.

A rule becomes bounds, each with its own reason; a clip fails a bound or it does not, whatever the others say. So does
one on the block list. Only the choice among duplicates looks at the other reasons, so it comes last.
"""

from collections import defaultdict
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from curation.block import blocked_videos, digest, read_block_list
from curation.bounds import bounds_of
from curation.config import CurateConfig
from curation.crew import Each, crew
from curation.dedup import spare_rows
from curation.engine import Counts
from curation.guard import config_hash
from curation.judge import Reasons, Summary
from curation.judged import Judged
from curation.loud import tell_kept, tell_missing
from curation.part_rules import JudgePart, TellPart
from curation.quantiles import Population, resolver
from curation.rule import stated
from curation.rules import check, columns_of
from curation.selectable import Selectable, selectable
from curation.tables import Corpus
from curation.thresholds import RECORD, read_thresholds
from shards.store import remove_folder, write_json


def run(corpus: Corpus, config: CurateConfig) -> dict[str, Counts]:
    """Writes `verdicts/<set>` for every set of the config, and beside the parts `rules.json`: how it came about.

    Old verdicts of these sets are removed; `rules.json` is written last, so a folder without it is not whole. Holds
    one column at a time, and of each clip and set a bit a reason. Many parts are looked at in processes that are
    spawned: a script that calls this does so under `if __name__ == "__main__"`.

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
    with crew(corpus) as workers:
        sets = _prepare_all(columns, config, bool(entries), workers.each)
        _judge(columns, sets, entries, workers.each)
        for judged in sets:
            _tell_parts(judged, write, workers.each)
            if write:
                write_json(corpus.folder(f"verdicts/{judged.name}") / RECORD, _record(judged, entries))
            tell_kept(judged.name, judged.rule_set, judged.summary)
    return {judged.name: judged for judged in sets}


def _prepare_all(columns: Selectable, config: CurateConfig, is_blocking: bool, each: Each) -> list[Judged]:
    last: dict[str, Population] = {}
    return [_prepare(columns, config, name, is_blocking, last, each) for name in config.sets]


def _prepare(
    columns: Selectable, config: CurateConfig, name: str, is_blocking: bool, last: dict[str, Population], each: Each
) -> Judged:
    """Checks a set and resolves its shares."""
    rule_set, columns = config.sets[name], replace(columns, pack=config.pack_of(name))
    columns.refuse_two_buckets(name, [column for rule in rule_set.rules for column in columns_of(rule)])
    check(name, rule_set, columns.types)
    thresholds = read_thresholds(rule_set.thresholds, name) if rule_set.thresholds else None
    resolve = resolver(columns, last, each)
    if thresholds:
        resolve = lambda rule, kind: thresholds.limit(columns, rule, kind, each)  # noqa: E731
    try:
        bounds = [bound for rule in rule_set.rules for bound in bounds_of(rule, resolve)]
    except ValueError as error:
        raise ValueError(f"sets.{name}: {error}") from error
    return Judged(name, rule_set, columns, Reasons(bounds, is_blocking), thresholds)


def _judge(columns: Selectable, sets: list[Judged], entries: frozenset[str], each: Each) -> None:
    """Fills in what is said of every clip, reading each part once for all sets."""
    bits = [[np.zeros((0, judged.reasons.num_bytes), np.uint8)] for judged in sets]
    spoken = [np.zeros((len(judged.rule_set.rules), 2), np.int64) for judged in sets]
    members: dict[str, list[pa.Table]] = defaultdict(list)
    sizes, start = [], 0
    for found in each(JudgePart(columns, sets, entries, blocked_videos(columns.wide.corpus, entries))):
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


def _counted_from(start: int, members: pa.Table) -> pa.Table:
    """With rows of the corpus in place of those of the part."""
    return members.drop_columns("row").append_column("row", pa.array(members["row"].to_numpy() + start))


def _choose_duplicates(judged: Judged, members: pa.Table) -> None:
    """Rejects the spare clips among those that have duplicates in the sense of the set."""
    if len(members):
        passed = ~judged.bits[members["row"].to_numpy()].any(axis=1)
        judged.reasons.add_duplicates(judged.bits, spare_rows(members.append_column("passed", pa.array(passed))))


def _tell_parts(judged: Judged, write: bool, each: Each) -> None:
    """Sums up what is said of the clips of each part, and writes it."""
    corpus, table = judged.columns.wide.corpus, f"verdicts/{judged.name}"
    if write:
        remove_folder(corpus.folder(table))
    judged.summary = Summary(judged.reasons)
    for clips, seconds in each(TellPart(corpus, table, judged.reasons, write), judged.of_parts()):
        judged.summary.add(Summary(judged.reasons, clips, seconds))


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
