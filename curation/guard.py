"""A table remembers the configuration that made it; a job refuses to go on with another, or moves the table aside."""

import hashlib
import json
import time
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from pathlib import Path

from curation.tables import Corpus
from shards.store import read_json, write_json

RUN_ONLY = {"limits", "decoder_threads", "resources"}  # these change how long it takes, not what comes out
LIBRARIES = ("av", "numpy", "opencv-python-headless", "pyarrow", "scenedetect-headless", "torch", "open-clip-torch")
BUILT_ON = {  # what must go when a job's tables go: its own and all that were made from them
    "split": ["inputs", "videos", "clips", "proxies", "captions", "scores", "verdicts", "shards", "stats"],
    "captions": ["captions", "scores", "verdicts", "shards", "stats"],
    "score": ["verdicts", "shards", "stats"],
    "dedup": ["scores/dedup", "verdicts", "shards", "stats"],
    "pack": ["shards", "stats"],
}


class ConfigChanged(ValueError):
    """A table was made with another configuration; the message names what differs and the way out."""


def describe(value: object) -> object:
    """A configuration as JSON: classes by name, files and folders that it names by the hash of their content."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = {f.name: describe(getattr(value, f.name)) for f in fields(value) if f.name not in RUN_ONLY}
        return {"class": type(value).__qualname__, **kept}
    if isinstance(value, dict):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if isinstance(value, str):
        content = _content_hash(Path(value.removeprefix("local-dir:")))
        return {"path": value, "content": content} if content else value
    return value


def _content_hash(path: Path) -> str | None:
    """Hash of a file, or of a folder's files; None where nothing of that name stands."""
    if not str(path) or "/" not in str(path) or not path.exists():
        return None
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def config_hash(description: object) -> str:
    """16 hex digits of a description."""
    text = json.dumps(description, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def claim(corpus: Corpus, job: str, table: str, description: object) -> None:
    """Writes the configuration beside a new table, or compares it with the one that stands there.

    Raises:
        ConfigChanged: they differ.
    """
    difference = changes(corpus, table, description)
    if difference:
        raise ConfigChanged(
            f"{corpus.folder(table)} was made with another configuration: {'; '.join(difference[:5])}. Bring the old "
            f"one back, name another OUT, or say FORCE={job}: it moves the old table, and those built on it, aside"
        )
    if difference is None:
        made_by = {"config": description, "hash": config_hash(description), "versions": _versions()}
        write_json(_record(corpus, table), made_by)


def changes(corpus: Corpus, table: str, description: object) -> list[str] | None:
    """What differs from the recorded configuration, in words; None where nothing is recorded."""
    path = _record(corpus, table)
    if not path.exists():
        return None
    old = _flat(read_json(path)["config"])
    new = _flat(json.loads(json.dumps(description)))
    keys = [key for key in [*new, *(key for key in old if key not in new)] if old.get(key) != new.get(key)]
    return [f"{key} was {old.get(key)!r}, is {new.get(key)!r}" for key in keys]


def _record(corpus: Corpus, table: str) -> Path:
    return corpus.folder(table) / "config.json"


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    """Nested JSON as `a.b.c` -> value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {prefix: value}
    return {k: v for key, item in items for k, v in _flat(item, f"{prefix}.{key}".lstrip(".")).items()}


def _versions() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}


def move_aside(corpus: Corpus, tables: list[str]) -> Path | None:
    """Moves tables to `aside/<time>/`; returns that folder, or None where none of them stands."""
    standing = [table for table in tables if corpus.folder(table).exists()]
    if not standing:
        return None
    aside = corpus.root / "aside" / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for table in standing:
        target = aside / table
        target.parent.mkdir(parents=True, exist_ok=True)
        corpus.folder(table).rename(target)
    return aside
