"""Files that appear whole or not at all: renamed from a temporary name, or, at an address, put there in one piece."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from shards.parquet_options import parquet_options
from shards.places import AddressedFile, Place, reaching
from shards.schema import conform
from shards.scratch import TEMPORARY_SUFFIX, process_folder


@contextmanager
def atomic_path(path: Place) -> Iterator[Path]:
    """A local path to write to; what was written appears at `path` when the block ends well, and never in part.

    On a local disk it lies beside `path` and is renamed; for an address in `process_folder`, and is then put there.
    """
    folder = path.parent if isinstance(path, Path) else process_folder()
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=TEMPORARY_SUFFIX, dir=folder)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _put(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _put(temporary: Path, path: Place) -> None:
    if isinstance(path, Path):
        temporary.chmod(0o644)
        os.replace(temporary, path)
        return
    with reaching(path):
        path.fs.put_file(str(temporary), path.path)


@contextmanager
def scratch_folder(folder: Place, name: str) -> Iterator[Path]:
    """A local folder for work on what will lie in `folder`, on the same disk if that is local; removed in the end."""
    beside = folder if isinstance(folder, Path) else process_folder()
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}.", suffix=TEMPORARY_SUFFIX, dir=beside) as scratch:
        yield Path(scratch)


def remove_temporaries(folder: Place) -> None:
    """Removes what a killed run left unfinished below a folder; whoever still writes there fails without harm."""
    if not isinstance(folder, Path):  # nothing appears at an address before it is whole; for the rest see `scratch`
        return
    for path in folder.rglob(f".*{TEMPORARY_SUFFIX}"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def remove_folder(folder: Place) -> None:
    """Removes a folder and all below, if it is there."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
        return
    with reaching(folder):
        if folder.exists():
            folder.fs.rm(folder.path, recursive=True)


def move_folder(folder: Place, target: Place) -> None:
    """Moves a folder or file to a free name; at an address by copying every file and then removing the old ones."""
    if isinstance(folder, Path):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(folder, str(target))
        return
    with reaching(folder):
        files = cast(list[str], folder.fs.find(folder.path))
        to = str(target.path if not isinstance(target, Path) else target)
        folder.fs.copy(files, [to + name[len(folder.path) :] for name in files])
        folder.fs.rm(folder.path, recursive=True)


def note_line(path: Place, line: str) -> None:
    """Adds a line to a text file; at an address, where nothing can be added to, as a file of its own in that folder."""
    if isinstance(path, Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as lines:
            lines.write(line + "\n")
        return
    alone = path.parent / path.stem / f"{time.time_ns()}-{os.getpid()}{path.suffix}"
    with reaching(alone):
        alone.write_text(line + "\n", encoding="utf-8")


def parquet_file(path: Place) -> pq.ParquetFile:
    """The Parquet file, open for reading by row groups or columns; at an address only what is asked for is fetched.

    Raises:
        OSError: it cannot be reached.
        pyarrow.ArrowInvalid: it is no Parquet file.
    """
    if isinstance(path, Path):
        return pq.ParquetFile(path)
    file = AddressedFile(path)
    try:
        return _AddressedParquet(file)
    except BaseException:
        file.close()
        raise


class _AddressedParquet(pq.ParquetFile):
    """Closes its file with itself, where pyarrow leaves open what it did not open."""

    def close(self, force: bool = True) -> None:
        super().close(force)


def num_rows(path: Place) -> int:
    """Rows of a Parquet file, by its metadata alone; raises as `parquet_file`."""
    with parquet_file(path) as file:
        return file.metadata.num_rows


def write_table(path: Place, table: pa.Table, schema: pa.Schema) -> None:
    """Writes a Parquet file that conforms to the schema; equal tables give equal bytes."""
    with atomic_path(path) as temporary:
        pq.write_table(conform(table, schema), temporary, **parquet_options(schema))


def write_json(path: Place, value: object) -> None:
    """Writes indented JSON with sorted keys."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Place) -> dict:
    """Reads a JSON object.

    Raises:
        ValueError: the file is not JSON; names the file.
    """
    try:
        with reaching(path):
            return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); move it away and run the job again") from error
