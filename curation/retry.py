"""RETRY=<status>: videos of that status are read again, and what they give now takes the place of their old rows.

The rows of all other videos stay as they are. What was built on a part that has other clips now is moved aside, as by
FORCE, and made anew.
"""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.force import tables_of_outcome
from curation.guard import move_aside
from curation.tables import Corpus
from shards.parquet_options import parquet_options
from shards.places import Place
from shards.schema import CLIPS, PROXIES, VIDEOS
from shards.store import TEMPORARY_SUFFIX, atomic_path, parquet_file, remove_folder

Ids = Mapping[str, frozenset[str]]
"""Part -> video ids."""


def chosen(corpus: Corpus, status: str) -> dict[str, frozenset[str]]:
    """The videos of that status; parts that have none are left out."""
    found = {}
    for part in corpus.parts("videos"):
        rows = corpus.read("videos", part, ["video_id", "status"])
        found[part] = frozenset(rows["video_id"].filter(pc.equal(rows["status"], status)).to_pylist())
    return {part: ids for part, ids in found.items() if ids}


@contextmanager
def side_corpus(corpus: Corpus) -> Iterator[Corpus]:
    """A corpus for what is read again; it is gone when the block ends, and at the next run if that was killed."""
    folder = corpus.folder("videos") / f".retry{TEMPORARY_SUFFIX}"
    remove_folder(folder)
    try:
        yield Corpus(folder)
    finally:
        remove_folder(folder)


def take_over(corpus: Corpus, fresh: Corpus, retried: Ids) -> str:
    """Puts what `fresh` holds of the retried videos in the place of their old rows; says what came of it.

    Killed in between, the next run reads a part anew that is not whole: its `videos` go first and come last.
    """
    statuses = {part: fresh.read("videos", part, ["status"])["status"].to_pylist() for part in retried}
    changed = [part for part in retried if "ok" in statuses[part]]
    videos = {part: _merged(corpus, fresh, "videos", part, retried[part]) for part in retried}
    aside = move_aside(corpus, _built_on(corpus, changed))
    for part, table in videos.items():
        if part in changed:
            order = table["video_id"].to_pylist()
            _merge_proxies(corpus.path("proxies", part), fresh.path("proxies", part), retried[part], order)
            corpus.write("clips", part, _merged(corpus, fresh, "clips", part, retried[part], order), CLIPS)
        corpus.write("videos", part, table, VIDEOS)
    every = [status for part in retried for status in statuses[part]]
    return f"{every.count('ok')} of {len(every)} are ok now" + (
        f"; what stood on them went to {aside}" if aside else ""
    )


def _built_on(corpus: Corpus, parts: list[str]) -> list[str]:
    """What to move when parts change, those built on others first."""
    if not parts:
        return []
    scores = corpus.folder("scores")
    names = sorted(folder.name for folder in scores.iterdir()) if scores.exists() else []
    tables = [f"scores/{name}" for name in names if name != "dedup"] + ["captions", "videos"]
    return [
        *tables_of_outcome(corpus),
        "scores/dedup",
        *(f"{table}/{part}.parquet" for table in tables for part in parts),
    ]


def _merged(
    corpus: Corpus, fresh: Corpus, table: str, part: str, retried: frozenset[str], order: list[str] | None = None
) -> pa.Table:
    """The part with the rows of the retried videos replaced, videos in their old order."""
    old = corpus.read(table, part)
    order = order or old["video_id"].to_pylist()
    kept = old.filter(pc.invert(pc.is_in(old["video_id"], pa.array(retried, pa.string()))))
    both = pa.concat_tables([kept, fresh.read(table, part)])
    rank = {video_id: number for number, video_id in enumerate(order)}
    ranks = [rank[video_id] for video_id in both["video_id"].to_pylist()]
    return both.take(sorted(range(len(ranks)), key=ranks.__getitem__))


def _merge_proxies(old: Place, fresh: Place, retried: frozenset[str], order: list[str]) -> None:
    """The same for proxy frames, without holding more than one group of rows; a group is of one video."""
    with parquet_file(old) as olds, parquet_file(fresh) as news:
        groups = [(video_id, olds, group) for video_id, group in _groups(olds) if video_id not in retried]
        groups += [(video_id, news, group) for video_id, group in _groups(news)]
        groups.sort(key=lambda item: order.index(item[0]))
        with atomic_path(old) as temporary, pq.ParquetWriter(temporary, PROXIES, **parquet_options(PROXIES)) as writer:
            for _, source, group in groups:
                writer.write_table(source.read_row_group(group))


def _groups(file: pq.ParquetFile) -> Iterator[tuple[str, int]]:
    """Of each group of rows, the video it belongs to and its number."""
    for group in range(file.num_row_groups):
        yield file.read_row_group(group, columns=["video_id"])["video_id"][0].as_py(), group
