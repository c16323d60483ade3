"""The inputs of a corpus: hashes files and groups them into parts that never change afterwards."""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from curation.config import InputsConfig
from curation.tables import Corpus, part_name
from shards.schema import INPUTS

logger = logging.getLogger(__name__)

HASH_CHUNK_BYTES = 2**20


def update_inputs(corpus: Corpus, listed: pa.Table, config: InputsConfig) -> int:
    """Writes new parts of `inputs` for files not listed before; returns how many files are new.

    Raises:
        ValueError: a file that was listed before has changed since.
    """
    known = _known(corpus)
    _refuse_changed(corpus, known, listed)
    _tell_absent(known, listed["path"].to_pylist())
    mask = [path not in known for path in listed["path"].to_pylist()]
    new = listed.filter(pa.array(mask, pa.bool_()))
    number = len(corpus.parts("inputs"))
    for part in _group(_stamped(new), config):
        part = part.append_column(
            "video_id", pa.array([video_id(path) for path in part["path"].to_pylist()], pa.string())
        )
        corpus.write("inputs", part_name(number), part, pa.unify_schemas([INPUTS, _extra(part)]))
        number += 1
    return len(new)


def _extra(table: pa.Table) -> pa.Schema:
    return pa.schema([column for column in table.schema if column.name not in INPUTS.names])


def _known(corpus: Corpus) -> dict[str, tuple]:
    """Path -> (size, mtime) of every file listed so far."""
    if not corpus.parts("inputs"):
        return {}
    rows = corpus.read_all("inputs", ["path", "size_bytes", "mtime_ns"]).to_pylist()
    return {row["path"]: (row["size_bytes"], row["mtime_ns"]) for row in rows}


def _refuse_changed(corpus: Corpus, known: dict[str, tuple], listed: pa.Table) -> None:
    changed = [path for path in listed["path"].to_pylist() if path in known and _stamp(path) != known[path]]
    if changed:
        raise ValueError(
            f"{changed[0]} has changed since it was split ({len(changed)} such files). Give new footage a new name, or "
            f"start over with FORCE=split, which moves the tables in {corpus.root} aside"
        )


def _tell_absent(known: Iterable[str], listed: list[str]) -> None:
    absent = sorted(set(known) - set(listed))
    if absent:
        words = (
            "%d files of this corpus are not in VIDEOS now (nor in its LIMIT), e.g. %s; what was made from them stays"
        )
        logger.info(words, len(absent), absent[0])


def _stamp(path: str) -> tuple[int | None, int | None]:
    try:
        status = Path(path).stat()
    except OSError:
        return None, None
    return status.st_size, status.st_mtime_ns


def _stamped(table: pa.Table) -> pa.Table:
    """Adds size and modification time of each file."""
    stamps = [_stamp(path) for path in table["path"].to_pylist()]
    table = table.append_column("size_bytes", pa.array([size for size, _ in stamps], pa.int64()))
    return table.append_column("mtime_ns", pa.array([mtime for _, mtime in stamps], pa.int64()))


def video_id(path: str) -> str:
    """20 hex digits over the file's bytes; over its name where it cannot be read, so that `split` can tell why."""
    digest = hashlib.blake2b(digest_size=10)
    try:
        with open(path, "rb") as file:
            while chunk := file.read(HASH_CHUNK_BYTES):
                digest.update(chunk)
    except OSError:
        return unreadable_id(path)
    return digest.hexdigest()


def unreadable_id(path: str) -> str:
    """The id of a file that cannot be read: over its name, so that it has a row like any other."""
    return hashlib.blake2b(f"unreadable {path}".encode(), digest_size=10).hexdigest()


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


def first_paths(corpus: Corpus, parts: Iterable[str] | None = None) -> dict[str, dict[str, str]]:
    """For each part, video_id -> path of the unique videos whose first file is listed there, in order of listing.

    Only `parts` are returned, but all are read: a copy belongs to the part that listed the content first.
    """
    wanted = None if parts is None else set(parts)
    seen: set[str] = set()
    owners: dict[str, dict[str, str]] = {}
    for part in corpus.parts("inputs"):
        mine: dict[str, str] = {}
        for row in corpus.read("inputs", part, ["video_id", "path"]).to_pylist():
            if row["video_id"] not in seen:
                seen.add(row["video_id"])
                mine[row["video_id"]] = row["path"]
        if wanted is None or part in wanted:
            owners[part] = mine
    return owners


def input_paths(corpus: Corpus) -> dict[str, list[str]]:
    """video_id -> paths of all files with that content, in order of listing."""
    paths: dict[str, list[str]] = defaultdict(list)
    for part in corpus.parts("inputs"):
        for row in corpus.read("inputs", part, ["video_id", "path"]).to_pylist():
            paths[row["video_id"]].append(row["path"])
    return dict(paths)
