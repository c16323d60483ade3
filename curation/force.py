"""FORCE=<job>: moves the tables of a job, and those built on them, aside, so that they are made anew."""

from collections.abc import Iterable

from curation import dedup, pack
from curation.config import CurateConfig
from curation.guard import changes, move_aside
from curation.safe_score import table_name
from curation.score_order import describe_tables, tables_from
from curation.set_files import packed_sets
from curation.tables import Corpus

FORCEABLE = {"split": "split", "captions": "split", "score": "score", "dedup": "dedup", "pack": "pack"}
"""What can be forced, and the job that then makes it anew."""


def force(corpus: Corpus, config: CurateConfig, what: str) -> str:
    """Moves what is forced to `aside/`; gives a line that says where it went."""
    aside = move_aside(corpus, _tables(corpus, config, what))
    return f"FORCE={what}: moved the old tables to {aside}" if aside else f"FORCE={what}: no table stands"


def tables_of_outcome(corpus: Corpus) -> list[str]:
    """What is made of scores, those built on others first; not the sets that a user put beside those of verdicts."""
    return ["stats", *(f"shards/{name}" for name in packed_sets(corpus)), "verdicts"]


def _tables(corpus: Corpus, config: CurateConfig, what: str) -> list[str]:
    """Tables to move, those built on others first."""
    outcome = tables_of_outcome(corpus)
    if what == "split":  # `videos` tells that a part is done, and `inputs` what its files are: in this order
        return [*outcome, "scores", "videos", "clips", "captions", "proxies", "inputs"]
    if what == "captions":
        moved = tables_from(config.scorers, "captions")
        return [*outcome, *_dedup_if_from(config, moved), *reversed(moved), "captions"]
    if what == "score":
        changed = _changed(corpus, describe_tables(config.scorers))
        other = changes(corpus, dedup.TABLE, dedup.description(config.dedup, config.scorers))
        return [*outcome, *([dedup.TABLE] if other else _dedup_if_from(config, changed)), *reversed(changed)]
    if what == "dedup":
        return [*outcome, dedup.TABLE]
    return ["stats", *_changed_sets(corpus, config)]


def _changed_sets(corpus: Corpus, config: CurateConfig) -> list[str]:
    """Shards that cannot grow as they stand, or hold clips that are not kept any more; all where there are none."""
    made = {f"shards/{name}": pack.describe(corpus, config, name) for name in config.sets}
    return [
        table
        for name, (table, description) in zip(config.sets, made.items(), strict=True)
        if changes(corpus, table, description) or pack.is_outdated(corpus, config, name)
    ] or list(made)


def _dedup_if_from(config: CurateConfig, tables: Iterable[str]) -> list[str]:
    """The table of duplicates, where it is made from one of these."""
    read = {table_name(name) for name in dedup.sources(config.dedup, config.scorers)}
    return [] if read.isdisjoint(tables) else [dedup.TABLE]


def _changed(corpus: Corpus, made: dict[str, object]) -> list[str]:
    """The tables whose configuration has changed; all of them where none has."""
    return [table for table, description in made.items() if changes(corpus, table, description)] or list(made)
