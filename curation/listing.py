"""Which files a user names: a folder, a glob, a file or a table, local or at an address; and a stable sample."""

import glob
import hashlib
import logging
import os
from collections import Counter
from pathlib import Path

import pyarrow as pa
from upath import UPath

from curation.addresses import listed_at
from curation.stamp import STAMP
from curation.user_table import TABLE_SUFFIXES
from curation.video_table import read_video_table
from shards.places import is_address, place
from shards.schema import INPUTS, from_rows

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .ts .m2ts .mts .mpg .mpeg .3gp .3g2 .flv .wmv .asf .ogv .mxf .gif .h264 .264 .h265"
    " .hevc .265 .ivf .obu .vob .y4m".split()
)
LISTED = pa.schema([INPUTS.field(name) for name in ("path", *STAMP)])


def list_videos(videos: str) -> pa.Table:
    """The files that `videos` names, sorted by path: column `path` (absolute, or an address), and what else is known.

    A table gives its columns as `read_video_table` says; a listing at an address the columns of STAMP.

    Args:
        videos: a folder (searched below), a glob, or a table (.parquet, .csv, .jsonl) with a `path` column, whose
            relative paths count from the table's folder; each local, or at an address such as `s3://bucket/folder`.

    Raises:
        ValueError: nothing is there, the table has no `path` column or a row without a path, or a name is not UTF-8;
            says what to do.
        OSError: there is no way to the address.
    """
    source = place(videos)
    if not isinstance(source, Path):
        return _at_address(source, videos)
    if source.is_dir():
        return _named(_videos_below(source), videos)
    if source.suffix.lower() in TABLE_SUFFIXES and source.is_file():
        return _from_table(source)
    if source.is_file():
        return _named([str(source)], videos)
    found = glob.glob(str(source), recursive=True)
    if not found and not glob.has_magic(videos):
        raise ValueError(f"VIDEOS={videos}: there is no such folder or file")
    return _named([path for path in found if os.path.isfile(path)], videos)


def _at_address(source: UPath, videos: str) -> pa.Table:
    """As `list_videos`; a folder is a prefix there, so what `videos` names is known once it has been listed."""
    found = listed_at(source)
    if source.suffix.lower() in TABLE_SUFFIXES and list(found) == [str(source)]:
        return read_video_table(source)
    is_folder = any(path.startswith(f"{str(source).rstrip('/')}/") for path in found)
    chosen = _only_videos(list(found), videos) if is_folder else list(found)
    if not chosen:
        raise _nothing(videos)
    return from_rows([{"path": path, **dict(zip(STAMP, found[path], strict=True))} for path in sorted(chosen)], LISTED)


def _videos_below(folder: Path) -> list[str]:
    return _only_videos([str(path) for path in folder.rglob("*") if path.is_file()], str(folder))


def _only_videos(files: list[str], folder: str) -> list[str]:
    others = Counter(_suffix(path) or "(no suffix)" for path in files if _suffix(path) not in VIDEO_SUFFIXES)
    if others:
        listed = ", ".join(f"{count} {_printable(suffix)}" for suffix, count in others.most_common())
        logger.info("%s: files that are no video by their suffix are not listed: %s", _printable(folder), listed)
    return [path for path in files if _suffix(path) in VIDEO_SUFFIXES]


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _named(paths: list[str], videos: str) -> pa.Table:
    if not paths:
        raise _nothing(videos)
    return pa.table({"path": _storable(sorted({str(Path(path).resolve()) for path in paths}))})


def _nothing(videos: str) -> ValueError:
    suffixes = " ".join(sorted(VIDEO_SUFFIXES))
    return ValueError(f"VIDEOS={_printable(videos)}: no video file there (looked for {suffixes})")


def _storable(paths: list[str]) -> pa.Array:
    """The paths as a column: tables hold UTF-8 alone, and a file under an escaped name could not be opened later."""
    for path in map(Path, paths):
        for entry in (*reversed(path.parents), path):
            if _printable(entry.name) != entry.name:
                raise ValueError(
                    f"{str(entry.parent)!r} holds {entry.name!r}: that name is not UTF-8 and cannot stand in a table. "
                    "Rename it (convmv does so for whole folders), or move it out of VIDEOS"
                )
    return pa.array(paths, pa.string())


def _from_table(source: Path) -> pa.Table:
    table = read_video_table(source)
    _storable([path for path in table["path"].to_pylist() if not is_address(path)])
    return table


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
