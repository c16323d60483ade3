"""The page of an evaluation: its figures, and each sampled video beside the real one of the same caption."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shards.store import atomic_path
from training.run import Run

NAME = "evaluation.html"
TEMPLATES = Path(__file__).parent / "templates"
MOST_VIDEOS = 200
"""A browser plays them all at once."""


def write_page(
    folder: Path, run: Run, metrics: Sequence[Mapping[str, Any]], videos: Sequence[Mapping[str, Any]]
) -> Path:
    """Writes the page; it plays the mp4 that lie in folders beside it, and needs no network.

    Args:
        folder: of the evaluation.
        run: that was evaluated.
        metrics: rows of `tables.METRICS`.
        videos: rows of `tables.VIDEOS`; those after the first 200 are left out, and that is said.
    """
    page = _environment().get_template("evaluation.html").render(
        stage=run.stage,
        where=run.folder.parent.name,
        metrics=metrics,
        videos=videos[:MOST_VIDEOS],
        total=len(videos),
    )
    with atomic_path(folder / NAME) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return folder / NAME


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    made.filters["figure"] = figure
    return made


def figure(value: float | None) -> str:
    """Four digits; a dash where there is none."""
    return "–" if value is None else f"{value:.4g}"
