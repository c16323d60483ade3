"""What videos are sampled of: a caption, given pictures, the seed of the noise. One, or a list in a file."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

CAPTION, SEED = "caption", "seed"
IMAGES = ("image", "last_image")
COLUMNS = (CAPTION, SEED, *IMAGES)
MIN_SEED, MAX_SEED = -(2**63), 2**63 - 1  # those that torch's generators take


@dataclass(frozen=True)
class Wanted:
    """A video to sample.

    Raises:
        ValueError: the seed is too large for a generator.
    """

    caption: str
    seed: int
    where: str = "what is to be sampled"
    """Where it was asked for, for messages."""
    images: tuple[Path, ...] = ()
    """Files of the first frame, and maybe of the last one, that the model is given."""

    def __post_init__(self) -> None:
        if not MIN_SEED <= self.seed <= MAX_SEED:
            raise ValueError(f"{self.where}: a seed has 64 bits, {self.seed} has more")


def read_captions(path: Path, seed: int = 0) -> list[Wanted]:
    """The captions of a list, in its order.

    Line n of a text, row n of a table (both from 1) starts from the noise of `seed` + n; a table's own column `seed`
    stands as it is. So a line gives the same video whatever lines stand around it.

    Args:
        path: .txt with a caption a line, where empty lines count but give no video; .csv, .jsonl or .parquet with a
            column `caption` or `image`, and maybe `seed` and `last_image`; pictures are looked for from the list's
            folder on.
        seed: moves all seeds that the list does not give itself.

    Raises:
        ValueError: there is no such file, or it is none of these; it has neither captions nor pictures, or a row
            without; names it.
    """
    if not path.is_file():
        raise ValueError(f"{path} is no file; a list of captions is one of {', '.join(READERS)}")
    if path.suffix.lower() not in READERS:
        raise ValueError(f"{path}: a list of captions is one of {', '.join(READERS)}")
    try:
        rows = list(READERS[path.suffix.lower()](path))
    except (ValueError, csv.Error) as error:  # of UTF-8, JSON or Parquet
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if rows and not any(name in row for _, row in rows for name in (CAPTION, IMAGES[0])):
        raise ValueError(f"{path} has no column `{CAPTION}`; it has: {', '.join(map(str, rows[0][1]))}")
    wanted = [_wanted(row, seed + number, f"{path}, row {number}", path.parent) for number, row in rows]
    if not wanted:
        raise ValueError(f"{path} holds no caption")
    return wanted


def _wanted(row: Mapping[str, Any], seed: int, where: str, folder: Path) -> Wanted:
    images = tuple(folder / str(row[name]) for name in IMAGES if row.get(name))
    if images and not row.get(IMAGES[0]):
        raise ValueError(f"{where}: last_image needs image, the first frame")
    caption, own = row.get(CAPTION, "" if images else None), row.get(SEED)
    if not isinstance(caption, str):
        raise ValueError(f"{where}: the caption is a text, not {caption!r}")
    return Wanted(caption, seed if own in (None, "") else _whole(own, where), where, images)


def _whole(value: Any, where: str) -> int:
    """A seed as a table has it: a number or its digits; with a gap in the column, libraries make it a float."""
    try:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{where}: a seed is a whole number, not {value!r}") from error


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):
        if line.strip():
            yield number, {CAPTION: line.strip()}


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from enumerate(csv.DictReader(file, strict=True), 1)


def _jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _lines(path):
        try:
            row = json.loads(line[CAPTION])
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f"line {number} is no JSON object")
        yield number, row


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with pq.ParquetFile(path) as file:
        there = file.schema_arrow.names
        if not {CAPTION, IMAGES[0]} & {*there}:
            raise ValueError(f"it has no column `{CAPTION}`; it has: {', '.join(there)}")
        yield from enumerate(file.read([name for name in COLUMNS if name in there]).to_pylist(), 1)


READERS: dict[str, Callable[[Path], Iterator[tuple[int, dict[str, Any]]]]] = {
    ".txt": _lines,
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
"""Rows with their numbers, from 1, by the file's extension."""
