"""The inputs of a corpus: lists files, hashes them, and groups them into parts that never change afterwards."""

import csv
import glob
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.config import InputsConfig
from curation.tables import Corpus, part_name
from shards.schema import INPUTS

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .ts .m2ts .mts .mpg .mpeg .3gp .3g2 .flv .wmv .asf .ogv .mxf .gif .h264 .264 .h265"
    " .hevc .265 .ivf .obu .vob .y4m".split()
)
TABLE_SUFFIXES = frozenset({".parquet", ".csv", ".jsonl"})
HASH_CHUNK_BYTES = 2**20


def list_videos(videos: str) -> pa.Table:
    """The files that `videos` names, sorted by path: column `path` (absolute), and a table's other columns.

    Args:
        videos: a folder (searched below), a glob, or a table (.parquet, .csv, .jsonl) with a `path` column, whose
            relative paths count from the table's folder.

    Raises:
        ValueError: nothing is there, or the table has no `path` column; says what to do.
    """
    source = Path(videos).expanduser()
    if source.is_dir():
        return _named(_videos_below(source), videos)
    if source.suffix.lower() in TABLE_SUFFIXES and source.is_file():
        return _from_table(source)
    if source.is_file():
        return _named([source], videos)
    if "://" in videos:
        raise ValueError(f"VIDEOS={videos}: addresses are not read yet; copy the files and name the local folder")
    found = [Path(path) for path in glob.glob(str(source), recursive=True)]
    if not found and not glob.has_magic(videos):
        raise ValueError(f"VIDEOS={videos}: there is no such folder or file")
    return _named([path for path in found if path.is_file()], videos)


def _videos_below(folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    others = Counter(path.suffix.lower() or "(no suffix)" for path in files if not _is_video(path))
    if others:
        listed = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common())
        logger.info("%s: files that are no video by their suffix are not listed: %s", folder, listed)
    return [path for path in files if _is_video(path)]


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _named(paths: list[Path], videos: str) -> pa.Table:
    if not paths:
        suffixes = " ".join(sorted(VIDEO_SUFFIXES))
        raise ValueError(f"VIDEOS={videos}: no video file there (looked for {suffixes})")
    return pa.table({"path": sorted({str(path.resolve()) for path in paths})})


def read_user_table(path: Path) -> pa.Table:
    """A table as users bring it: .parquet, .csv (header line), or .jsonl.

    Raises:
        ValueError: it cannot be read; names the file.
    """
    try:
        if path.suffix.lower() == ".parquet":
            return pq.ParquetFile(path).read()
        with path.open(encoding="utf-8", newline="") as lines:
            rows = (
                list(csv.DictReader(lines)) if path.suffix.lower() == ".csv" else [json.loads(line) for line in lines]
            )
        return pa.Table.from_pylist(rows)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ValueError(f"{path} cannot be read as a table: {error}") from error


def _from_table(source: Path) -> pa.Table:
    table = read_user_table(source)
    if "path" not in table.column_names:
        raise ValueError(f"VIDEOS={source}: no column `path`; it has {', '.join(table.column_names) or 'none'}")
    clash = set(table.column_names) & (set(INPUTS.names) - {"path"})
    if clash:
        raise ValueError(f"VIDEOS={source}: rename the columns {sorted(clash)}; Rushes writes columns of that name")
    paths = pa.array([str((source.parent / path).resolve()) for path in table["path"].to_pylist()], pa.string())
    table = table.set_column(table.column_names.index("path"), "path", paths)
    if len(set(paths.to_pylist())) < len(table):
        raise ValueError(f"VIDEOS={source}: the same path stands in more than one row; name each file once")
    return table.sort_by("path")


def sample_stably(table: pa.Table, limit: int | None) -> pa.Table:
    """The first `limit` rows by a hash of the file's name: a larger limit keeps those of a smaller one."""
    if limit is None or limit >= len(table):
        return table
    ranks = [hashlib.blake2b(Path(path).name.encode()).digest() for path in table["path"].to_pylist()]
    chosen = sorted(sorted(range(len(table)), key=ranks.__getitem__)[:limit])
    return table.take(chosen)


def update_inputs(corpus: Corpus, listed: pa.Table, config: InputsConfig) -> int:
    """Writes new parts of `inputs` for files not listed before; returns how many files are new.

    Raises:
        ValueError: a file that was listed before has changed since.
    """
    known = _known(corpus)
    _refuse_changed(corpus, known, listed)
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
        digest = hashlib.blake2b(f"unreadable {path}".encode(), digest_size=10)
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


def first_paths(corpus: Corpus) -> dict[str, dict[str, str]]:
    """For each part, video_id -> path of the unique videos whose first file is listed there, in order of listing."""
    seen: set[str] = set()
    owners: dict[str, dict[str, str]] = {}
    for part in corpus.parts("inputs"):
        rows = corpus.read("inputs", part, ["video_id", "path"]).to_pylist()
        owners[part] = {}
        for row in rows:
            if row["video_id"] not in seen:
                seen.add(row["video_id"])
                owners[part][row["video_id"]] = row["path"]
    return owners
