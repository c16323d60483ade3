"""Which files a user names: a folder, a glob, a file or a table; and a stable sample of them."""

import glob
import hashlib
import logging
from collections import Counter
from pathlib import Path

import pyarrow as pa

from curation.user_table import TABLE_SUFFIXES, read_user_table, resolved
from shards.schema import INPUTS

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .ts .m2ts .mts .mpg .mpeg .3gp .3g2 .flv .wmv .asf .ogv .mxf .gif .h264 .264 .h265"
    " .hevc .265 .ivf .obu .vob .y4m".split()
)


def list_videos(videos: str) -> pa.Table:
    """The files that `videos` names, sorted by path: column `path` (absolute), and a table's other columns.

    Args:
        videos: a folder (searched below), a glob, or a table (.parquet, .csv, .jsonl) with a `path` column, whose
            relative paths count from the table's folder.

    Raises:
        ValueError: nothing is there, the table has no `path` column or a row without a path, or a name is not UTF-8;
            says what to do.
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
        listed = ", ".join(f"{count} {_printable(suffix)}" for suffix, count in others.most_common())
        logger.info("%s: files that are no video by their suffix are not listed: %s", folder, listed)
    return [path for path in files if _is_video(path)]


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _named(paths: list[Path], videos: str) -> pa.Table:
    if not paths:
        suffixes = " ".join(sorted(VIDEO_SUFFIXES))
        raise ValueError(f"VIDEOS={_printable(videos)}: no video file there (looked for {suffixes})")
    return pa.table({"path": _storable(sorted({str(path.resolve()) for path in paths}))})


def _storable(paths: list[str]) -> pa.Array:
    """The paths as a column: tables hold UTF-8 alone, and a file under an escaped name could not be opened later."""
    for path in map(Path, paths):
        for place in (*reversed(path.parents), path):
            if _printable(place.name) != place.name:
                raise ValueError(
                    f"{str(place.parent)!r} holds {place.name!r}: that name is not UTF-8 and cannot stand in a table. "
                    "Rename it (convmv does so for whole folders), or move it out of VIDEOS"
                )
    return pa.array(paths, pa.string())


def _from_table(source: Path) -> pa.Table:
    table = read_user_table(source)
    if "path" not in table.column_names:
        raise ValueError(f"VIDEOS={source}: no column `path`; it has {', '.join(table.column_names) or 'none'}")
    clash = set(table.column_names) & (set(INPUTS.names) - {"path"})
    if clash:
        raise ValueError(f"VIDEOS={source}: rename the columns {sorted(clash)}; Rushes writes columns of that name")
    paths = _storable(resolved(table, source))
    table = table.set_column(table.column_names.index("path"), "path", paths)
    if len(set(paths.to_pylist())) < len(table):
        raise ValueError(f"VIDEOS={source}: the same path stands in more than one row; name each file once")
    return table.sort_by("path")


def sample_stably(table: pa.Table, limit: int | None) -> pa.Table:
    """The first `limit` rows by a hash of file name, then path: a larger limit keeps those of a smaller one.

    Raises:
        ValueError: the limit is below 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit: {limit} is not at least 1; leave it out to take every video")
    if limit is None or limit >= len(table):
        return table
    # The name comes first, so that a folder that moved keeps its sample; the path parts files of equal names.
    named = [(Path(path).name, path) for path in table["path"].to_pylist()]
    ranks = [tuple(hashlib.blake2b(text.encode()).digest() for text in pair) for pair in named]
    chosen = sorted(sorted(range(len(table)), key=ranks.__getitem__)[:limit])
    return table.take(chosen)
