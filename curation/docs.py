"""Writes docs/tables.md from the schemas, so that the two cannot drift apart: `python -m curation.docs`."""

from pathlib import Path

import pyarrow as pa

from curation.coverage import COVERAGE
from curation.funnel import FUNNEL
from curation.histograms import HISTOGRAMS
from curation.safe_score import score_schema, table_name
from curation.scorer import Scorer
from curation.scorers.coca import Coca
from curation.scorers.fingerprint import Fingerprint
from curation.scorers.frame import Frame
from curation.scorers.heads import Head
from curation.scorers.motion import Motion
from curation.scorers.openclip import OpenClip
from curation.scorers.raft import Raft
from curation.scorers.summary import Summary
from curation.scorers.text_area import TextArea
from curation.scorers.video_caption import VideoCaption
from curation.scorers.zero_shot import ZeroShot
from curation.stats import LOST
from shards.schema import SCHEMA_VERSION, TABLES
from shards.store import atomic_path

PAGE = Path("docs/tables.md")
SHIPPED: dict[str, Scorer] = {
    "motion": Motion(),
    "frame": Frame(),
    "text_area": TextArea(),
    "raft": Raft(),
    "fingerprint": Fingerprint(),
    "openclip": OpenClip(model="any"),
    "aesthetic": Head(file="any", column="aesthetic"),
    "zero_shot": ZeroShot(model="any", sets={"medium": {"film": ["a frame of a film"], "cartoon": ["a cartoon"]}}),
    "coca": Coca(),
    "video_caption": VideoCaption(model="any"),
    "summary": Summary(model="any"),
}


def tables_markdown() -> str:
    """The page: every table with its columns, types, units and meaning."""
    scores = {table_name(name): score_schema(name, scorer) for name, scorer in SHIPPED.items()}
    head = f"""# Tables

Generated from the schemas by `make fmt`; schema version {SCHEMA_VERSION}. Every table is Parquet, one file a part, and
carries these docs in its field metadata. Seconds count from the first frame of the video; pts are ticks of the
container's time base; spans are half-open. `inputs` also carries the columns that the user's own table brings.
"""
    tables = {**TABLES, **scores, "stats/funnel": FUNNEL, "stats/histograms": HISTOGRAMS}
    tables |= {"stats/failures": LOST, "stats/coverage": COVERAGE}
    return "\n".join([head, *(_section(name, schema) for name, schema in tables.items())])


def _section(name: str, schema: pa.Schema) -> str:
    rows = [f"| `{f.name}` | `{f.type}` | {_meta(f, 'unit')} | {_meta(f, 'doc')} |" for f in schema]
    return "\n".join([f"## {name}", "", "| column | type | unit | meaning |", "|---|---|---|---|", *rows, ""])


def _meta(column: pa.Field, key: str) -> str:
    return (column.metadata or {}).get(key.encode(), b"").decode().replace("|", "\\|")


if __name__ == "__main__":
    with atomic_path(PAGE) as temporary:
        temporary.write_text(tables_markdown(), encoding="utf-8")
