"""Pictures in a WebDataset tar: the members that follow each other with one name are about one picture.

Only heads of members are read, nothing is unpacked or unpickled, and a name is never a path to write to.
"""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from curation.pictures.entry import OTHER_PICTURES, Entry, Piece, other_format
from shards.places import AddressedFile, place

PICTURES, WORDS = ("jpg", "jpeg", "png", "webp"), ("txt", "json")
BLOCK_BYTES = 512


def tar_entries(path: str) -> Iterator[Entry]:
    """The pictures of a tar in its order; the end of a damaged one is an entry with the reason.

    Raises:
        OSError: the disk or the network fails.
    """
    faults: list[str] = []
    with _opened(path) as file:
        for _, members in groupby(_well(file, faults), key=lambda member: _parts(member)[0]):
            yield from _of_sample(path, list(members))
    yield from (Entry(path, Piece(path), error=fault) for fault in faults)


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    where = place(path)
    with where.open("rb") if isinstance(where, Path) else AddressedFile(where, kept_blocks=2) as file:
        yield cast(BinaryIO, file)


def _well(file: BinaryIO, faults: list[str]) -> Iterator[tarfile.TarInfo]:
    """The members before the first fault, which is added to `faults`: the sample that it follows is not lost."""
    try:
        yield from _members(file)
    except (tarfile.TarError, ValueError, EOFError, OverflowError) as error:
        faults.append(f"the tar is cut short or damaged, and not read from there on: {error}")


def _members(file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """Raises tarfile.ReadError where the heads end too early, or lead back, of which tarfile itself says nothing."""
    with tarfile.open(fileobj=file, mode="r:") as tar:
        while header := tar.next():
            if header.size < 0:
                raise tarfile.ReadError(f"{_printable(header.name)!r} has a negative size")
            yield header
            cast(Any, tar).members.clear()  # else it keeps every header that it has seen
        file.seek(cast(Any, tar).offset)
        if any(file.read(BLOCK_BYTES)):
            raise tarfile.ReadError("a member's head is damaged")


def _parts(member: tarfile.TarInfo) -> tuple[str, str]:
    """Name of the sample, and what the member is: what follows the first dot of its file name."""
    folder, slash, name = member.name.rpartition("/")
    stem, _, extension = name.partition(".")
    return folder + slash + stem, extension.lower()


def _of_sample(tar: str, members: list[tarfile.TarInfo]) -> Iterator[Entry]:
    """Each picture of a sample, with all of its words."""
    plain = [member for member in members if member.isreg() and not member.issparse()]
    kinds = [(_piece(tar, member), _parts(member)[1]) for member in plain]
    words = tuple((piece, kind) for told in WORDS for piece, kind in kinds if kind == told)
    for member in members:
        kind = _parts(member)[1]
        if kind.rsplit(".", 1)[-1] in (*PICTURES, *OTHER_PICTURES):
            name = _printable(member.name)
            yield Entry(f"{tar}!{name}", _piece(tar, member), words, error=_fault(member, kind, member in plain))


def _fault(member: tarfile.TarInfo, kind: str, is_plain: bool) -> str | None:
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        return "its name leads out of the folder that the tar is unpacked in"
    if not is_plain:
        return "it is no plain file in the tar"
    if kind not in (*PICTURES, *OTHER_PICTURES):
        return f"WebDataset takes what follows the first dot for the kind of a member, and knows none: {kind}"
    return other_format(kind)


def _piece(tar: str, member: tarfile.TarInfo) -> Piece:
    return Piece(tar, member.offset_data, member.size)


def _printable(name: str) -> str:
    """tarfile keeps bytes that are not UTF-8 as halves of characters, which no table can hold."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
