"""Job 3: which clips show the same, and which of the copies is best. It rejects nothing; `filter` does.

Exact copies first, of what is left the perceptual ones, of what is then left the semantic ones: each kind of group
contains those of the kinds before.
"""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as types

from curation.duplicates.columns import content_keys, embeddings, fingerprints
from curation.duplicates.config import DedupConfig
from curation.duplicates.perceptual import perceptual_stars
from curation.duplicates.ranking import PIXELS, best_first
from curation.duplicates.semantic import semantic_stars
from curation.duplicates.stars import Stars, stars_of_keys
from curation.engine import Counts
from curation.guard import claim, describe
from curation.joined import KEY, Joined, is_number, join, num_rows
from curation.safe_score import table_name
from curation.score_order import describe_tables
from curation.scorer import Scorer
from curation.tables import Corpus
from shards.schema import CLIPS, DEDUP
from shards.store import remove_folder

TABLE = "scores/dedup"
KINDS = ("exact", "perceptual", "duplicate")
"""Kinds of groups, each within the next; `duplicate` are those of all kinds, with semantic ones."""
FOUND = ("exact", "perceptual", "semantic")
"""What makes a clip a copy, in each kind beyond the one before."""


def _is_words(dtype: pa.DataType) -> bool:
    return types.is_list(dtype) and types.is_uint64(dtype.value_type)


def _is_floats(dtype: pa.DataType) -> bool:
    return types.is_list(dtype) and types.is_floating(dtype.value_type)


FITTING: dict[str, tuple[Callable[[pa.DataType], bool], str]] = {
    "rank": (is_number, "one number a clip (integer, float or truth value)"),
    "perceptual.hashes": (_is_words, "list<uint64>"),
    "perceptual.times": (_is_floats, "list<float>, or of other floats"),
    "semantic.embedding": (_is_floats, "list<halffloat>, or of other floats"),
}
"""Setting -> which types its column may have, and these in words."""


def check(config: DedupConfig, scorers: Mapping[str, Scorer]) -> None:
    """Sees that the columns that it reads are made, and of a type that it can read, before any work starts.

    Raises:
        ValueError: one is not; names the key, the column, its type, and the columns that would do.
    """
    made = {f.name: f.type for f in [*CLIPS, *(f for scorer in scorers.values() for f in scorer.writes)]}
    made[PIXELS] = pa.int64()
    for key, column in [*(("rank", column) for column in config.rank), *_lists(config).items()]:
        fits, kind = FITTING[key]
        if column not in made or not fits(made[column]):
            told = f"is of type {made[column]}" if column in made else "is written by no scorer"
            others = ", ".join(name for name, dtype in made.items() if fits(dtype)) or "none; add a scorer"
            raise ValueError(f"dedup.{key}: the column `{column}` {told}. It takes {kind}; there are: {others}")


def sources(config: DedupConfig, scorers: Mapping[str, Scorer]) -> dict[str, Scorer]:
    """The scorers whose columns it reads, by name."""
    return _writers({*config.rank, *_lists(config).values()}, scorers)


def description(config: DedupConfig, scorers: Mapping[str, Scorer]) -> object:
    """What its table is made from, as JSON: its own settings and those of the scorers that it reads.

    Other scorers are not looked at: what is wrong with them is none of its business.
    """
    read = sources(config, scorers)
    made = describe_tables(_with_sources(read, scorers))
    return {"dedup": describe(config), "made_from": {table_name(name): made[table_name(name)] for name in read}}


def is_done(corpus: Corpus) -> bool:
    """Whether every part of `clips`, and no other, has its duplicates written."""
    has_record = (corpus.folder(TABLE) / "config.json").exists()
    return has_record and corpus.parts(TABLE) == corpus.parts("clips")


def run(corpus: Corpus, config: DedupConfig | None = None, scorers: Mapping[str, Scorer] | None = None) -> Counts:
    """Writes `scores/dedup` for all parts: a pass over the whole corpus, so new parts mean that all are written anew.

    Holds some 450 bytes a clip; with perceptual duplicates 100 bytes a proxy frame more; with semantic ones the
    embeddings, as float16. Time grows as n log n.

    Returns:
        `clips`, and how many are `exact copies`, `perceptual copies` and `semantic copies` of another.

    Raises:
        ValueError: there are no clips, or a score table that it reads is not whole or has a part that was made with
            another configuration or other weights than the table remembers.
    """
    if not corpus.parts("clips"):
        raise ValueError(f"{corpus.folder('clips')} has no part yet: run the job `split` first")
    config, scorers = config or DedupConfig(), scorers or {}
    wide = join(corpus, sources(config, scorers))
    wide.prove(column for column in (*config.rank, *_lists(config).values()) if column != PIXELS)
    order = best_first(wide, config.rank)
    kinds = _find(wide, order, config)
    _write(wide, _columns(order, kinds), description(config, scorers))
    left = [len(order), *(len(stars.survivors()) for stars in kinds)]
    copies = {f"{kind} copies": before - after for kind, (before, after) in zip(FOUND, pairwise(left), strict=True)}
    return {"clips": len(order), **copies}


def spare_rows(members: pa.Table) -> np.ndarray:
    """Which clips to reject as duplicates: (n,) int64, sorted values of `row`.

    The best-ranked clip that passed is chosen of each group. All others of the group are spare, also those that did
    not pass: so their reasons are complete. A group of which none passed has no chosen one, and no spare.

    Args:
        members: clips that have duplicates: `row`, `group`, `rank`, and `passed`, whether no rule rejected the clip.
    """
    chosen = members.filter(members["passed"]).group_by("group").aggregate([("rank", "min")])
    place = pc.index_in(members["group"], value_set=chosen["group"])
    is_spare = pc.not_equal(members["rank"], chosen["rank_min"].take(place))
    return np.sort(members["row"].filter(is_spare).to_numpy())


def _lists(config: DedupConfig) -> dict[str, str]:
    """Setting -> column, for those that are no numbers."""
    found = {}
    if config.perceptual:
        found |= {"perceptual.hashes": config.perceptual.hashes, "perceptual.times": config.perceptual.times}
    if config.semantic:
        found["semantic.embedding"] = config.semantic.embedding
    return found


def _writers(columns: Iterable[str], scorers: Mapping[str, Scorer]) -> dict[str, Scorer]:
    """The scorers that write one of these columns."""
    return {name: scorer for name, scorer in scorers.items() if not set(columns).isdisjoint(scorer.writes.names)}


def _with_sources(some: dict[str, Scorer], scorers: Mapping[str, Scorer]) -> dict[str, Scorer]:
    """Some scorers, those whose columns they read, and so on."""
    more = some | _writers([column for scorer in some.values() for column in scorer.reads], scorers)
    return more if len(more) == len(some) else _with_sources(more, scorers)


def _find(wide: Joined, order: np.ndarray, config: DedupConfig) -> list[Stars]:
    """The groups of each of `KINDS`; clips are numbered by rank."""
    exact = perceptual = stars_of_keys(content_keys(wide, order))
    if by := config.perceptual:
        frames = fingerprints(wide, by.hashes, by.times, order[exact.survivors()])
        perceptual = exact.then(perceptual_stars(frames, by))
    duplicate = perceptual
    if by := config.semantic:
        vectors = embeddings(wide, by.embedding, order[perceptual.survivors()])
        duplicate = perceptual.then(semantic_stars(vectors, by))
    return [exact, perceptual, duplicate]


def _columns(order: np.ndarray, kinds: list[Stars]) -> pa.Table:
    """The table of all clips, in the order of the corpus, with the row of a clip in place of its id."""
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    columns = {KEY: pa.array(np.arange(len(order)))}
    for kind, stars in zip(KINDS, kinds, strict=True):
        ranks = stars.ranks()[number]
        best = pa.array(order[stars.best[number]], mask=ranks < 0)
        columns |= {f"{kind}_group": best, f"{kind}_rank": pa.array(ranks, mask=ranks < 0)}
    _, perceptual, duplicate = kinds
    is_semantic = (perceptual.best == np.arange(len(order))) & (duplicate.best != perceptual.best)
    cosines = np.where(is_semantic, duplicate.similarity, np.nan)
    similarities = {"perceptual_similarity": perceptual.similarity, "semantic_similarity": cosines}
    columns |= {name: pa.array(values[number], pa.float32(), from_pandas=True) for name, values in similarities.items()}
    return pa.table(columns).select(DEDUP.names)


def _write(wide: Joined, rows: pa.Table, made_from: object) -> None:
    """Lays the table out in parts like those of the clips, with the ids of the clips that rows tell."""
    corpus, start = wide.corpus, 0
    clip_ids = wide.column(KEY).cast(pa.large_string()).combine_chunks()  # of 50 million clips, 2 GB
    # The last part is written last, so after a crash `is_done` is false; nothing of an older pass may stand.
    remove_folder(corpus.folder(TABLE))
    claim(corpus, "dedup", TABLE, made_from)
    for part in wide.parts():
        mine = rows.slice(start, num_rows(corpus, "clips", part))
        ids = {f.name: clip_ids.take(mine[f.name].combine_chunks()) for f in DEDUP if types.is_string(f.type)}
        corpus.write(TABLE, part, pa.table({name: ids.get(name, mine[name]) for name in DEDUP.names}), DEDUP)
        start += len(mine)
