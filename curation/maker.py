"""Each part of a score table says which configuration made it, so that parts of other makes are not mixed in."""

from collections.abc import Iterable

import pyarrow as pa

from curation.guard import RECORD
from curation.tables import Corpus
from shards.places import Place, reaching
from shards.store import read_json

STAMP = b"config_hash"
"""Key in the metadata of a part's schema."""


def makers(corpus: Corpus, tables: Iterable[str]) -> dict[str, str]:
    """Table -> hash of the configuration that it remembers, weights included; tables without a record are left out."""
    found = {}
    for table in tables:
        record = corpus.folder(table) / RECORD
        with reaching(record):
            if record.exists():
                found[table] = read_json(record)["hash"]
    return found


def stamped(schema: pa.Schema, made_by: str | None) -> pa.Schema:
    """The schema of parts that say who made them."""
    return schema.with_metadata({STAMP: made_by.encode()}) if made_by else schema


def refuse_other_maker(path: Place, schema: pa.Schema, made_by: str) -> None:
    """Compares what a part says with what its table remembers; parts of older versions say nothing.

    Raises:
        ValueError: it was made with another configuration, or other weights.
    """
    said = (schema.metadata or {}).get(STAMP, made_by.encode()).decode()
    if said != made_by:
        raise ValueError(
            f"{path} was made with another configuration or other weights than its table remembers ({RECORD}: "
            f"{made_by}, the file: {said}). Remove that file and run JOB=score, which makes it anew, or bring back the "
            "one that belongs there"
        )
