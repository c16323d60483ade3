"""Files that appear whole or not at all: written under a temporary name, then renamed."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shards.schema import conform

TEMPORARY_SUFFIX = ".rushes.tmp"  # ours alone: what bears it may be removed
PARQUET_OPTIONS = {"compression": "zstd", "write_statistics": True, "store_schema": True}


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends well, removed when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=TEMPORARY_SUFFIX, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_temporaries(folder: Path) -> None:
    """Removes what a killed run left unfinished below a folder; whoever still writes there fails without harm."""
    for path in folder.rglob(f".*{TEMPORARY_SUFFIX}"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_table(path: Path, table: pa.Table, schema: pa.Schema) -> None:
    """Writes a Parquet file that conforms to the schema; equal tables give equal bytes."""
    with atomic_path(path) as temporary:
        pq.write_table(conform(table, schema), temporary, **PARQUET_OPTIONS)


def write_json(path: Path, value: object) -> None:
    """Writes indented JSON with sorted keys."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict:
    """Reads a JSON object.

    Raises:
        ValueError: the file is not JSON; names the file.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); move it away and run the job again") from error
