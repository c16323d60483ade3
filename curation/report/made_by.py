"""What made a corpus: its configuration, that of each table by its hash, and the versions of libraries."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from curation.guard import RECORD
from curation.tables import Corpus
from shards.places import reaching
from shards.schema import SCHEMA_VERSION
from shards.store import read_json

MAX_CHARACTERS = 200_000
"""Of the configuration, in the page."""
SECRET = re.compile(r"://[^/@\s]+@")
"""A user and maybe a key in an address: a page may be handed on."""
LEFT_OUT = ("out", "engine", "workers", "report")
"""Keys that say where and how it ran, not what came out: pages of equal tables are equal."""


@dataclass(frozen=True)
class MadeBy:
    """What the page says of it."""

    config: str
    """YAML; empty where the corpus remembers none."""
    hashes: dict[str, str]
    """Table -> hash of the configuration that made it."""
    versions: dict[str, str]
    """Library -> version; several where tables differ."""
    schema_version: int = SCHEMA_VERSION


def made_by(corpus: Corpus, rules: dict[str, dict], scorers: Iterable[str]) -> MadeBy:
    """Reads what stands beside the tables."""
    tables = ["clips", *(f"scores/{name}" for name in [*scorers, "dedup"]), *(f"shards/{name}" for name in rules)]
    records = {table: read_json(path) for table in tables if (path := _existing(corpus, f"{table}/{RECORD}"))}
    hashes = {table: str(record.get("hash", "")) for table, record in records.items()}
    hashes |= {f"verdicts/{name}": str(record.get("config_hash", "")) for name, record in rules.items()}
    versions: dict[str, set[str]] = {}
    for record in records.values():
        for library, version in (record.get("versions") or {}).items():
            versions.setdefault(library, set()).add(version)
    path = _existing(corpus, "config.yaml")
    config = _plain(path.read_text(encoding="utf-8", errors="replace")) if path else ""
    return MadeBy(
        config[:MAX_CHARACTERS], hashes, {name: ", ".join(sorted(found)) for name, found in sorted(versions.items())}
    )


def _plain(config: str) -> str:
    kept = {key: value for key, value in (yaml.safe_load(config) or {}).items() if key not in LEFT_OUT}
    return SECRET.sub("://…@", yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=1000))


def _existing(corpus: Corpus, name: str):
    path = corpus.root / name
    with reaching(path):
        return path if path.exists() else None
