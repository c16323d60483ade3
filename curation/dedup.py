"""Job 3: which clips show the same frames, and which of them is best. It rejects nothing; `filter` does.

Thin for now: exact duplicates, by content hash and number of frames.
"""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.engine import Counts
from curation.joined import num_rows
from curation.tables import Corpus
from shards.schema import CLIPS, DEDUP
from shards.store import remove_folder

TABLE = "scores/dedup"
IDENTITY = ["content_hash", "num_frames"]
QUALITY = ["clip_id", "width", "height", "sharpness"]


def is_done(corpus: Corpus) -> bool:
    """Whether every part of `clips`, and no other, has its duplicates written."""
    return corpus.parts(TABLE) == corpus.parts("clips")


def run(corpus: Corpus) -> Counts:
    """Writes `scores/dedup` for all parts: a pass over the whole corpus, so new parts mean that all are written anew.

    Holds one short string a clip; geometry and sharpness are read only in parts that have duplicates. Time grows as
    n log n in the clips.

    Returns:
        `clips`, `groups`, and `copies` (clips that are not the best of their group).

    Raises:
        ValueError: there are no clips.
    """
    if not corpus.parts("clips"):
        raise ValueError(f"{corpus.folder('clips')} has no part yet: run the job `split` first")
    keys = group_keys(corpus.read_all("clips", IDENTITY))
    is_repeated = pc.is_in(keys, value_set=repeated_keys(keys))
    rows = np.flatnonzero(is_repeated.to_numpy())
    ranked = rank(_quality(corpus, rows).append_column("duplicate_group", keys.filter(is_repeated))).sort_by("row")
    _write(corpus, ranked)
    copies = int(np.count_nonzero(ranked["duplicate_rank"].to_numpy()))
    return {"clips": len(keys), "groups": len(ranked) - copies, "copies": copies}


def group_keys(clips: pa.Table) -> pa.ChunkedArray:
    """The group each clip belongs to: `{content_hash}-{num_frames}`, string; null without a hash."""
    return pc.binary_join_element_wise(clips["content_hash"], clips["num_frames"].cast(pa.string()), "-")


def repeated_keys(keys: pa.ChunkedArray) -> pa.Array:
    """Keys that at least two clips share, each once; a null is no key."""
    counts = pc.value_counts(keys.drop_null())
    return counts.field("values").filter(pc.greater(counts.field("counts"), 1))


def rank(clips: pa.Table) -> pa.Table:
    """Adds `duplicate_rank`, int32, 0 = best, to clips that all have a `duplicate_group`; the rows come out sorted.

    Best has most pixels (`width * height`), then the highest `sharpness` (missing is lowest), then the smallest id.
    """
    pixels = pc.multiply(clips["width"].cast(pa.int64()), clips["height"].cast(pa.int64()))
    order = [("pixels", "descending"), ("sharpness", "descending"), ("clip_id", "ascending")]
    table = clips.append_column("pixels", pixels).sort_by([("duplicate_group", "ascending"), *order])
    groups = table["duplicate_group"].combine_chunks().dictionary_encode().indices.to_numpy()
    rows = np.arange(len(groups))
    is_first = np.diff(groups, prepend=-1) != 0
    ranks = rows - np.maximum.accumulate(np.where(is_first, rows, 0))
    return table.append_column("duplicate_rank", pa.array(ranks.astype(np.int32)))


def spare_rows(members: pa.Table) -> np.ndarray:
    """Which clips to reject as duplicates: (n,) int64, sorted values of `row`.

    The best-ranked clip that passed is chosen of each group. All others of the group are spare, also those that did
    not pass: so their reasons are complete. A group of which none passed has no chosen one, and no spare.

    Args:
        members: clips that have duplicates: `row`, `duplicate_group`, `duplicate_rank`, and `passed`, whether no rule
            rejected the clip.
    """
    chosen = members.filter(members["passed"]).group_by("duplicate_group").aggregate([("duplicate_rank", "min")])
    place = pc.index_in(members["duplicate_group"], value_set=chosen["duplicate_group"])
    is_spare = pc.not_equal(members["duplicate_rank"], chosen["duplicate_rank_min"].take(place))
    return np.sort(members["row"].filter(is_spare).to_numpy())


def _quality(corpus: Corpus, rows: np.ndarray) -> pa.Table:
    """What `rank` needs to know of these rows, counted from the first clip of the corpus; `row` is kept."""
    tables, start = [pa.schema([CLIPS.field(name) for name in QUALITY]).empty_table()], 0
    for part in corpus.parts("clips"):
        end = start + num_rows(corpus, "clips", part)
        local = rows[slice(*np.searchsorted(rows, [start, end]))] - start
        if len(local):
            tables.append(corpus.read("clips", part, QUALITY).select(QUALITY).take(local))
        start = end
    return pa.concat_tables(tables).append_column("row", pa.array(rows))


def _write(corpus: Corpus, ranked: pa.Table) -> None:
    """Lays groups and ranks out beside the clips; null where a clip stands alone."""
    # The last part is written last, so after a crash `is_done` is false; nothing of an older pass may stand.
    remove_folder(corpus.folder(TABLE))
    rows, groups, start = ranked["row"].to_numpy(), ranked.select(DEDUP.names[1:]), 0
    for part in corpus.parts("clips"):
        clip_ids = corpus.read("clips", part, ["clip_id"])
        first, end = np.searchsorted(rows, [start, start + len(clip_ids)])
        source = np.full(len(clip_ids), -1)
        source[rows[first:end] - start] = np.arange(end - first)
        mine = groups.slice(first, end - first).take(pa.array(source, mask=source < 0))
        corpus.write(TABLE, part, mine.add_column(0, "clip_id", clip_ids["clip_id"]), DEDUP)
        start += len(clip_ids)
