"""The page of an ablation: ratings, every metric by arm with its intervals, what each arm kept, the rules that won."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shards.store import atomic_path
from training.ablation.arms import Arm
from training.ablation.charts import Panel, intervals
from training.ablation.elo import Rating
from training.ablation.panels import metric_panel, rating_panel
from training.ablation.results import Metric

NAME = "ablation.html"
TEMPLATES = Path(__file__).parent / "templates"


def write_page(
    out: Path,
    arms: Sequence[Arm],
    metrics: Mapping[str, Metric],
    ratings: Mapping[str, Sequence[Rating]],
    sets: Mapping[str, Any],
    failed: Mapping[str, str],
) -> Path:
    """Writes the page; it needs no other file and no network.

    Args:
        out: folder of the ablation.
        arms: in the order in which they are shown.
        metrics: by name.
        ratings: by who judged, the best arm first.
        sets: rules that won.
        failed: why trials failed, by their folder.
    """
    shown = [
        each for each in metrics.values() if any(v is not None for of in each.values.values() for v in of.values())
    ]
    counts = {arm.name: arm.record["counts"] for arm in arms}
    page = (
        _environment()
        .get_template("ablation.html")
        .render(
            name=out.name,
            counts=counts,
            ratings={by: (those, _chart(rating_panel(those))) for by, those in ratings.items()},
            metrics=[(each, each.comparisons(), _chart(metric_panel(each))) for each in shown],
            failed=failed,
            missing=[each.name for each in metrics.values() if each not in shown],
            rules={name: yaml.safe_dump(told["rules"], sort_keys=False) for name, told in sets.items()},
        )
    )
    with atomic_path(out / NAME) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return out / NAME


def _environment() -> Environment:
    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    made.filters["figure"] = lambda value: "–" if value is None else f"{value:.4g}"
    return made


def _chart(panel: Panel) -> str:
    return intervals(panel) if panel.points else ""
