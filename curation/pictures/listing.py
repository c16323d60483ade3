"""Which pictures a user names, in an order that does not change; of files only names, sizes and times are read here."""

import glob
import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import cast

from upath import UPath

from curation.addresses import content, listed_at
from curation.pictures.entry import OTHER_PICTURES, Entry, Piece, other_format
from curation.pictures.rows import table_entries
from curation.pictures.tar import tar_entries
from curation.stamp import NO_STAMP, Stamp, stamp_of, stamp_told
from curation.user_table import TABLE_SUFFIXES
from shards.places import is_address, place, reaching

logger = logging.getLogger(__name__)

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
OTHER_SUFFIXES = tuple(f".{kind}" for kind in OTHER_PICTURES)
TAR, TEXT = ".tar", ".txt"
LISTED = (*PICTURE_SUFFIXES, *OTHER_SUFFIXES, TAR, TEXT)
MANY_REQUESTS = 16


class Listing:
    """The pictures that a user names; they may be gone through again and again. A local folder takes no memory."""

    def __init__(self, pictures: str) -> None:
        """Args: pictures: as `config.PicturesConfig.pictures` says.

        Raises:
            ValueError: nothing is there.
            OSError: there is no way to the address.
        """
        self._source, self._missing = place(pictures), set[str]()
        self._is_table = self._source.suffix.lower() in TABLE_SUFFIXES
        is_listed_whole = not isinstance(self._source, Path) and not self._is_table
        self._at_address = _with_sidecars(cast(UPath, self._source)) if is_listed_whole else {}
        with reaching(self._source):
            found = self._source.exists() if self._is_table else any(map(_is_wanted, self._all()))
        if not found:
            told = f"picture and no tar of pictures (looked for {' '.join([*PICTURE_SUFFIXES, TAR])})"
            raise ValueError(f"{pictures}: there is no {'such table' if self._is_table else told}")

    def digest(self) -> str:
        """16 hex digits over the names, sizes and times of all files, and over a table's content.

        Raises:
            ValueError: the table cannot be read; names it.
            OSError: the disk or the network fails.
        """
        digest, others = blake2b(digest_size=8), Counter[str]()
        if self._is_table:
            for chunk in content(str(self._source)):
                digest.update(chunk)
        for path, stamp in self._stamps() if self._is_table else self._files(others):
            digest.update(json.dumps([path, *stamp]).encode() + b"\n")
        if others:
            told = ", ".join(f"{count} {suffix or '(no suffix)'}" for suffix, count in others.most_common())
            logger.info("%s: files that are no picture by their suffix are left out: %s", self._source, told)
        return digest.hexdigest()

    def entries(self) -> Iterator[Entry]:
        """All that is named, in an order that depends on the names alone.

        Raises:
            ValueError: the table cannot be read; names it.
            OSError: the disk or the network fails.
        """
        if self._is_table:
            for entry in table_entries(self._source):
                yield replace(entry, error="there is no such file") if entry.path in self._missing else entry
            return
        for path, _ in self._files():
            if _suffix(path) == TAR:
                yield from tar_entries(path)
            elif _suffix(path) != TEXT:
                yield self._of_file(path)

    def _of_file(self, path: str) -> Entry:
        if path.encode("utf-8", "replace").decode() != path:
            named = path.encode("utf-8", "backslashreplace").decode()
            return Entry(named, Piece(named), error="its name is not UTF-8")
        if reason := other_format(_suffix(path)[1:]):
            return Entry(path, Piece(path), error=reason)
        sidecar = _sidecar(path)
        has_words = sidecar in self._at_address if self._at_address else os.path.isfile(sidecar)
        return Entry(path, Piece(path), ((Piece(sidecar), "sidecar"),) if has_words else ())

    def _files(self, others: Counter[str] | None = None) -> Iterator[tuple[str, Stamp]]:
        """Pictures, texts and tars with their stamps; counts the suffixes of other files."""
        for path in self._all():
            if _suffix(path) in LISTED:
                yield path, self._at_address.get(path) or stamp_of(path)
            elif others is not None:
                others[_suffix(path)] += 1

    def _all(self) -> Iterator[str]:
        """All files in their order."""
        if not isinstance(self._source, Path):
            yield from sorted(self._at_address)
            return
        if not self._source.is_dir():
            matched = {os.path.abspath(path) for path in glob.glob(str(self._source), recursive=True)}
            yield from sorted(path for path in matched | _sidecars(matched) if os.path.isfile(path))
            return
        for folder, folders, names in os.walk(self._source.resolve(), onerror=_raise):
            folders.sort()
            yield from (os.path.join(folder, name) for name in sorted(names))

    def _stamps(self) -> Iterator[tuple[str, Stamp]]:
        """Of the files that a table names; of addresses several at once. Remembers those that are not there."""
        paths = (entry.path for entry in table_entries(self._source))
        with ThreadPoolExecutor(MANY_REQUESTS) as pool:
            while some := list(islice(paths, 64 * MANY_REQUESTS)):
                for path, stamp in zip(some, _stamps_of(some, pool), strict=True):
                    self._missing.update([path] * (stamp == NO_STAMP))
                    yield path, stamp


def _stamps_of(paths: list[str], pool: ThreadPoolExecutor) -> Iterable[Stamp]:
    return (pool.map if any(map(is_address, paths)) else map)(stamp_of, paths)


def _with_sidecars(source: UPath) -> dict[str, Stamp]:
    """What `listed_at` finds, and the texts beside pictures, which a glob, or a single name, does not match."""
    found = listed_at(source)
    others = _sidecars(found) - set(found)
    if source.fs.unstrip_protocol(source.path) in found:
        told = {path: stamp_of(path) for path in others}
        return found | {path: stamp for path, stamp in told.items() if stamp != NO_STAMP}
    folders = {path.rsplit("/", 1)[0] for path in others} if glob.has_magic(source.path) else set[str]()
    for folder in sorted(folders):  # one request tells of many files
        with reaching(source):
            beside = source.fs.ls(cast(UPath, place(folder)).path, detail=True)
        told = {source.fs.unstrip_protocol(info["name"]): stamp_told(info) for info in beside}
        found |= {path: stamp for path, stamp in told.items() if path in others}
    return found


def _sidecars(paths: Iterable[str]) -> set[str]:
    """Where the texts of pictures lie, if there are any."""
    return {_sidecar(path) for path in paths if _suffix(path) in PICTURE_SUFFIXES}


def _sidecar(path: str) -> str:
    return os.path.splitext(path)[0] + TEXT


def _is_wanted(path: str) -> bool:
    return _suffix(path) in (*PICTURE_SUFFIXES, TAR)


def _raise(error: OSError) -> None:
    raise error


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()
