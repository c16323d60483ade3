"""Job 3: which clips show the same, and which of the copies is best. It rejects nothing; `filter` does.

Exact copies first, of what is left the perceptual ones, of what is then left the semantic ones: each kind of group
contains those of the kinds before.
"""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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


def check(config: DedupConfig, scorers: Mapping[str, Scorer]) -> None:
    """Sees that the columns that it reads are made, before any work starts.

    Raises:
        ValueError: one is not; names the key and the way out.
    """
    made = {f.name: f.type for f in [*CLIPS, *(f for scorer in scorers.values() for f in scorer.writes)]}
    numbers = [PIXELS, *(name for name, dtype in made.items() if is_number(dtype))]
    for column in config.rank:
        if column not in numbers:
            raise ValueError(f"dedup.rank: no such column of numbers: {column}; there are {', '.join(numbers)}")
    for key, column in _lists(config).items():
        if column not in made:
            raise ValueError(f"dedup.{key}: no scorer writes the column `{column}`; add one, or set dedup.{key} right")


def readers(config: DedupConfig, scorers: Mapping[str, Scorer]) -> dict[str, Scorer]:
    """The scorers whose columns it reads, by name."""
    used = {*config.rank, *_lists(config).values()}
    return {name: scorer for name, scorer in scorers.items() if used & set(scorer.writes.names)}


def description(config: DedupConfig, scorers: Mapping[str, Scorer]) -> object:
    """What its table is made from, as JSON: its own settings and those of the scorers that it reads."""
    made, read = describe_tables(scorers), readers(config, scorers)
    return {"dedup": describe(config), "made_from": {table_name(name): made[table_name(name)] for name in read}}


def is_done(corpus: Corpus) -> bool:
    """Whether every part of `clips`, and no other, has its duplicates written."""
    has_record = (corpus.folder(TABLE) / "config.json").exists()
    return has_record and corpus.parts(TABLE) == corpus.parts("clips")


def run(corpus: Corpus, config: DedupConfig | None = None, scorers: Mapping[str, Scorer] | None = None) -> Counts:
    """Writes `scores/dedup` for all parts: a pass over the whole corpus, so new parts mean that all are written anew.

    Holds some 150 bytes a clip; with perceptual duplicates 100 bytes a proxy frame more; with semantic ones the
    embeddings, as float16. Time grows as n log n.

    Returns:
        `clips`, and how many are `exact copies`, `perceptual copies` and `semantic copies` of another.

    Raises:
        ValueError: there are no clips, or a score table that it reads is not whole.
    """
    if not corpus.parts("clips"):
        raise ValueError(f"{corpus.folder('clips')} has no part yet: run the job `split` first")
    config, scorers = config or DedupConfig(), scorers or {}
    wide = join(corpus, readers(config, scorers))
    wide.prove(column for column in (*config.rank, *_lists(config).values()) if column != PIXELS)
    order = best_first(wide, config.rank)
    kinds = _find(wide, order, config)
    _write(corpus, _columns(wide, order, kinds), description(config, scorers))
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


def _columns(wide: Joined, order: np.ndarray, kinds: list[Stars]) -> pa.Table:
    """The table of all clips, in the order of the corpus."""
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    clip_ids = wide.column(KEY).combine_chunks()
    columns: dict[str, pa.Array] = {KEY: clip_ids}
    for kind, stars in zip(KINDS, kinds, strict=True):
        ranks = stars.ranks()[number]
        best = pa.array(order[stars.best[number]], mask=ranks < 0)
        columns |= {f"{kind}_group": clip_ids.take(best), f"{kind}_rank": pa.array(ranks, mask=ranks < 0)}
    _, perceptual, duplicate = kinds
    is_semantic = (perceptual.best == np.arange(len(order))) & (duplicate.best != perceptual.best)
    cosines = np.where(is_semantic, duplicate.similarity, np.nan)
    similarities = {"perceptual_similarity": perceptual.similarity, "semantic_similarity": cosines}
    columns |= {name: pa.array(values[number], pa.float32(), from_pandas=True) for name, values in similarities.items()}
    return pa.table(columns).select(DEDUP.names)


def _write(corpus: Corpus, rows: pa.Table, made_from: object) -> None:
    """Lays the table out in parts like those of the clips."""
    # The last part is written last, so after a crash `is_done` is false; nothing of an older pass may stand.
    remove_folder(corpus.folder(TABLE))
    claim(corpus, "dedup", TABLE, made_from)
    start = 0
    for part in corpus.parts("clips"):
        count = num_rows(corpus, "clips", part)
        corpus.write(TABLE, part, rows.slice(start, count), DEDUP)
        start += count
