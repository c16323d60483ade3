"""The page of an ablation: ratings, every metric by arm with its intervals, what each arm kept, the rules that won."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shards.store import atomic_path
from training.ablation.arms import Arm
from training.ablation.charts import Point, intervals
from training.ablation.compare import Comparison
from training.ablation.elo import Rating
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
            ratings={by: (those, _rating_chart(those)) for by, those in ratings.items()},
            metrics=[(each, each.comparisons(), _metric_chart(each)) for each in shown],
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


def _rating_chart(ratings: Sequence[Rating]) -> str:
    """Leads over the raw set with their intervals."""
    points = [
        Point(each.arm, each.lead, each.lead_low, each.lead_high, _side(each.lead_low, each.lead_high, "higher"))
        for each in ratings
        if each.lead is not None
    ]
    return intervals(points, "Elo, lead over raw", 0.0) if points else ""


def _metric_chart(metric: Metric) -> str:
    """Differences from the raw set over seeds with their intervals; empty where there are none."""
    found = [each for each in metric.comparisons() if each.difference.value is not None]
    points = [_point(each, metric.better) for each in found]
    return intervals(points, f"{metric.name}, difference from raw", 0.0) if points else ""


def _point(each: Comparison, better: str) -> Point:
    mean = each.difference
    return Point(each.arm, mean.value or 0.0, mean.low, mean.high, _side(mean.low, mean.high, better))


def _side(low: float | None, high: float | None, better: str) -> bool | None:
    """Whether an interval of a difference lies wholly on the better side of 0, wholly on the worse one, or neither."""
    if low is None or high is None or better == "neither" or low <= 0 <= high:
        return None
    return (low > 0) == (better == "higher")
