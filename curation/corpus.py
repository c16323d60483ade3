"""The inputs of a corpus: hashes files and groups them into parts that never change afterwards."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import hashlib
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from curation.addresses import content
from curation.config import InputsConfig
from curation.stamp import STAMP, stamp_of, unreadable_id
from curation.tables import Corpus, part_name
from shards.places import is_address
from shards.schema import INPUTS
from shards.source import PATH_ERRORS

logger = logging.getLogger(__name__)

TOLD = ("spans", "captions")
"""Columns of `inputs` that a user's table tells."""
MANY_REQUESTS = 16
NEAR_PARTS = 8

Answer = TypeVar("Answer")


def update_inputs(corpus: Corpus, listed: pa.Table, config: InputsConfig) -> int:
    """Writes new parts of `inputs` for files not listed before; returns how many files are new.

    Args:
        corpus: where they go.
        listed: a row a file, as `list_videos` gives it; columns of `inputs` that it lacks are found out.
        config: how files are grouped.

    Raises:
        ValueError: every file that was listed before has changed since, or what a table says of one.
        OSError: there is no way to an address.
    """
    known, listed = _known(corpus), _stamped(listed)
    place = pc.index_in(listed["path"], value_set=known["path"])
    _refuse_changed(corpus, known.take(place.drop_null()), listed.filter(place.is_valid()))
    _tell_absent(known["path"], listed["path"])
    new = listed.filter(place.is_null())
    number = 1 + max((int(part.removeprefix("part-")) for part in corpus.parts("inputs")), default=-1)
    for part in _group(new, config):
        ids = pa.array(_of_each(video_id, part["path"].to_pylist()), pa.string())
        part = part.append_column("video_id", ids)
        corpus.write("inputs", part_name(number), part, pa.unify_schemas([INPUTS, _extra(part)]))
        number += 1
    _spans.cache_clear()
    return len(new)


def _extra(table: pa.Table) -> pa.Schema:
    return pa.schema([column for column in table.schema if column.name not in INPUTS.names])


def _known(corpus: Corpus) -> pa.Table:
    """What was recorded of every file listed so far."""
    names = ["path", *STAMP, *TOLD]
    parts = [corpus.read("inputs", part, names).select(names) for part in corpus.parts("inputs")]
    return pa.concat_tables([pa.schema([INPUTS.field(name) for name in names]).empty_table(), *parts])


def _refuse_changed(corpus: Corpus, before: pa.Table, now: pa.Table) -> None:
    """Compares what was recorded of files with what they are now, row by row; a few that changed are told."""
    way_out = f"start over with FORCE=split, which moves the tables in {corpus.root} aside"
    changed = now["path"].filter(_differs(before, now)).to_pylist()
    if changed and len(changed) == len(now):
        raise ValueError(
            f"{changed[0]} has changed since it was listed, and so has every file that was listed before "
            f"({len(changed)}). Bring them back as they were, give new footage new names, or {way_out}"
        )
    if changed:
        words = (
            "%d files have changed since they were listed, e.g. %s: what was made from them stays, what they hold now "
            "is not read; give new footage a new name"
        )
        logger.warning(words, len(changed), changed[0])
    if retold := _told_otherwise(before, now):
        raise ValueError(
            f"the table says other spans or captions of {retold[0]} than when it was split ({len(retold)} such files). "
            f"Bring new captions as a table of their own (captions), or {way_out}"
        )


def _differs(before: pa.Table, now: pa.Table) -> pa.ChunkedArray:
    """Which rows have another stamp; two nulls are equal."""
    mask = pa.array([False] * len(now), pa.bool_())
    for name in STAMP:
        values = pc.fill_null(pc.not_equal(before[name], now[name]), False)
        mask = pc.or_(mask, pc.or_(values, pc.xor(before[name].is_null(), now[name].is_null())))
    return mask


def _told_otherwise(before: pa.Table, now: pa.Table) -> list[str]:
    """Paths of which a table says something else; a file that is named without a table keeps what one said of it."""
    paths = []
    for name in TOLD:
        told = now[name].is_valid()
        columns = (now["path"], before[name], now[name])
        rows = zip(*(column.filter(told).to_pylist() for column in columns), strict=True)
        paths += [path for path, old, new in rows if old != new]
    return paths


def _tell_absent(known: pa.ChunkedArray, listed: pa.ChunkedArray) -> None:
    absent = known.filter(pc.invert(pc.is_in(known, value_set=listed)))
    if len(absent):
        words = (
            "%d files of this corpus are not in VIDEOS now (nor in its LIMIT), e.g. %s; what was made from them stays"
        )
        logger.info(words, len(absent), pc.min(absent))


def _stamped(table: pa.Table) -> pa.Table:
    """Adds what the listing did not tell: the stamp of each file, and null spans and captions."""
    if STAMP[0] not in table.column_names:
        stamps = _of_each(stamp_of, table["path"].to_pylist())
        for number, name in enumerate(STAMP):
            values = pa.array([stamp[number] for stamp in stamps], INPUTS.field(name).type)
            table = table.append_column(name, values)
    for name in TOLD:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), INPUTS.field(name).type))
    return table


def _of_each(function: Callable[[str], Answer], paths: list[str]) -> list[Answer]:
    """The function's answers; of addresses several at once, since each waits for the network."""
    if not any(map(is_address, paths)):
        return [function(path) for path in paths]
    return list(_pool().map(function, paths))


@cache
def _pool() -> ThreadPoolExecutor:
    """One for good: a file system keeps connections for each thread."""
    return ThreadPoolExecutor(MANY_REQUESTS)


def video_id(path: str) -> str:
    """20 hex digits over the file's bytes; over its name where there is none to be read, so that `split` can tell why.

    Raises:
        OSError: there is no way to an address, or the disk fails: an id that stays must not come of that.
    """
    digest = hashlib.blake2b(digest_size=10)
    try:
        for chunk in content(path):
            digest.update(chunk)
    except OSError as error:
        lies_in_path = isinstance(error, FileNotFoundError) if is_address(path) else error.errno in PATH_ERRORS
        if not lies_in_path:
            raise
        return unreadable_id(path)
    return digest.hexdigest()


def _group(table: pa.Table, config: InputsConfig) -> Iterator[pa.Table]:
    """Slices of rows, closed at a number of videos or of bytes."""
    start = size = 0
    for row, size_bytes in enumerate(table["size_bytes"].to_pylist()):
        full = row - start >= config.part_max_videos or size + (size_bytes or 0) > config.part_max_bytes
        if row > start and full:
            yield table.slice(start, row - start)
            start, size = row, 0
        size += size_bytes or 0
    if len(table):
        yield table.slice(start)


def listed_near(corpus: Corpus, part: str) -> Iterator[dict]:
    """Rows of a part of `inputs` and of parts listed before and after it, the nearest first: path, id and stamp."""
    number = int(part.removeprefix("part-"))
    for near in sorted(range(max(0, number - NEAR_PARTS), number + NEAR_PARTS + 1), key=lambda n: abs(n - number)):
        if corpus.has("inputs", part_name(near)):
            yield from corpus.read("inputs", part_name(near), ["path", "video_id", *STAMP]).to_pylist()


def first_paths(corpus: Corpus) -> dict[str, dict[str, str]]:
    """For each part, video_id -> path of the unique videos whose first file is listed there, in order of listing."""
    seen: set[str] = set()
    owners: dict[str, dict[str, str]] = {}
    for part in corpus.parts("inputs"):
        mine: dict[str, str] = {}
        for row in corpus.read("inputs", part, ["video_id", "path"]).to_pylist():
            if row["video_id"] not in seen:
                seen.add(row["video_id"])
                mine[row["video_id"]] = row["path"]
        owners[part] = mine
    return owners


def spans_of(corpus: Corpus, part: str) -> dict[str, list[tuple[float, float]]]:
    """video_id -> the spans that the user named for the videos of a part of `inputs`, in seconds from the first frame.

    Those of byte copies are united, each span once, sorted. An end of infinity is the end of the file. A video without
    spans is left out: it is taken whole.
    """
    every = _spans(corpus, tuple(corpus.parts("inputs")))
    ids = corpus.read("inputs", part, ["video_id"])["video_id"].to_pylist()
    return {video_id: every[video_id] for video_id in ids if video_id in every}


@lru_cache(maxsize=1)
def _spans(corpus: Corpus, parts: tuple[str, ...]) -> dict[str, list[tuple[float, float]]]:
    """Of all videos; kept, since a worker asks for part after part and copies may be listed anywhere."""
    found: dict[str, set[tuple[float, float]]] = defaultdict(set)
    for part in parts:
        rows = corpus.read("inputs", part, ["video_id", "spans"])
        for row in rows.filter(rows["spans"].is_valid()).to_pylist():
            spans = ((span["start_s"], math.inf if span["end_s"] is None else span["end_s"]) for span in row["spans"])
            found[row["video_id"]].update(spans)
    return {video_id: sorted(spans) for video_id, spans in found.items()}
