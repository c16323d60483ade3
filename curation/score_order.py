"""Which scorer comes after which: one may read what another writes, and its table then depends on that one too."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import cast

from curation.guard import describe
from curation.safe_score import score_schema, table_name
from curation.scorer import Resources, Scorer
from shards.schema import CLIPS, DEDUP

Scorers = Mapping[str, Scorer]
GIVEN = (*CLIPS.names, "captions", "path")
"""What any scorer may read, whoever else there is."""
TAKEN = (*GIVEN, *DEDUP.names)
"""Names that no column of a scorer may bear."""


def owners(scorers: Scorers) -> dict[str, str]:
    """Column -> name of the scorer that writes it.

    Raises:
        ValueError: two write one column, or one writes a column that stands elsewhere; names them and the column.
    """
    owner: dict[str, str] = {}
    for name, scorer in scorers.items():
        for column in score_schema(name, scorer).names[1:]:
            if column in owner:
                raise ValueError(f"scorers.{name} and scorers.{owner[column]} both write the column `{column}`")
            if column in TAKEN:
                raise ValueError(f"scorers.{name} writes the column `{column}`, which is taken")
            owner[column] = name
    return owner


def check_scorers(scorers: Scorers) -> None:
    """Refuses scorers that cannot work together, before work starts.

    Raises:
        ValueError: columns clash, one reads what nobody writes or what depends on itself, or two do not fit.
    """
    owner = owners(scorers)
    for name, scorer in scorers.items():
        for column in scorer.reads:
            if column not in owner and column not in GIVEN:
                near = get_close_matches(column, [*owner, *GIVEN], n=3) or sorted(owner)
                raise ValueError(
                    f"scorers.{name} reads the column `{column}`, which `clips` lacks and no scorer writes; add a "
                    f"scorer that does, or name one of those there are: {', '.join(near)}"
                )
    in_waves(scorers)
    for name, scorer in scorers.items():
        try:
            scorer.check({column: scorers[owner[column]] for column in scorer.reads if column in owner})
        except ValueError as error:
            raise ValueError(f"scorers.{name}: {error}") from error


def homes(scorers: Scorers) -> dict[str, str]:
    """Column of a scorer -> the table that holds it."""
    return {column: table_name(name) for column, name in owners(scorers).items()}


def sources(scorers: Scorers) -> dict[str, set[str]]:
    """For each scorer the names of those whose columns it reads."""
    owner = owners(scorers)
    return {name: {owner[c] for c in scorer.reads if c in owner} for name, scorer in scorers.items()}


def with_sources(scorers: Scorers, names: set[str]) -> set[str]:
    """Some scorers, those whose columns they read, and so on."""
    more = names.union(*(sources(scorers)[name] for name in names))
    return more if more == names else with_sources(scorers, more)


def in_waves(scorers: Scorers) -> list[dict[str, Scorer]]:
    """The scorers in groups: each reads only what those of earlier groups write.

    Raises:
        ValueError: some wait for each other; names them.
    """
    sorter, waves = TopologicalSorter(sources(scorers)), []
    try:
        sorter.prepare()
    except CycleError as error:
        raise ValueError(f"scorers read each other's columns in a circle: {' <- '.join(error.args[1])}") from error
    while sorter.is_active():
        ready = set(sorter.get_ready())
        waves.append({name: scorer for name, scorer in scorers.items() if name in ready})
        sorter.done(*ready)
    return waves


def by_worker(scorers: Scorers) -> Iterator[tuple[Resources, dict[str, Scorer]]]:
    """Scorers that share a worker: they take the same from the cluster, and frames are decoded once for all of them.

    Those that look at no frame stand apart: so what a scorer is given at a time depends on itself and the part alone.
    """
    groups: dict[tuple[Resources, bool], dict[str, Scorer]] = defaultdict(dict)
    for name, scorer in scorers.items():
        groups[scorer.resources, scorer.reads_frames][name] = scorer
    for (resources, _), group in groups.items():
        yield resources, group


def describe_tables(scorers: Scorers) -> dict[str, object]:
    """Table -> the configuration it remembers, with that of the tables it was made from; in order of making."""
    made: dict[str, object] = {}
    for wave in in_waves(scorers):
        for name, scorer in wave.items():
            made_from = {table_name(source): made[table_name(source)] for source in sorted(sources(scorers)[name])}
            made[table_name(name)] = cast(dict, describe(scorer)) | ({"made_from": made_from} if made_from else {})
    return made


def tables_from(scorers: Scorers, column: str) -> list[str]:
    """Tables of the scorers that read a column, and of those that read these; in order of making."""
    names: list[str] = []
    for wave in in_waves(scorers):
        names += [n for n, s in wave.items() if column in s.reads or sources(scorers)[n] & set(names)]
    return [table_name(name) for name in names]
