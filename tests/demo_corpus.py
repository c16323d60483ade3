"""Renders and curates demo corpora for tests."""

from pathlib import Path

import pyarrow.parquet as pq

from curation.__main__ import main
from curation.demo.config import DemoConfig
from curation.demo.corpus import render_corpus


def render_corpus_once(tmp_path_factory, config: DemoConfig) -> Path:
    """Folder of a freshly rendered corpus."""
    folder = tmp_path_factory.mktemp("demo") / "footage"
    render_corpus(folder, config)
    return folder


def curate_demo(footage: Path, out: Path, *arguments: str) -> int:
    """Exit code of all jobs over a rendered corpus, in this process unless `--engine` says otherwise."""
    inputs = ["--videos", str(footage / "videos"), "--captions", str(footage / "captions.parquet"), "--out", str(out)]
    engine = () if "--engine" in arguments else ("--engine", "local")
    return main(["run", "--config", "configs/curate/demo.yaml", *inputs, *engine, *arguments])


def read(root: Path, table: str) -> list[dict]:
    """All rows of a table, part by part."""
    return [row for path in sorted((root / table).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
