"""The outcome of an ablation to be read anywhere: a table in Markdown and a plot beside it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from shards.store import atomic_path
from training.ablation.arms import Arm
from training.ablation.charts import side_by_side
from training.ablation.elo import Rating
from training.ablation.panels import metric_panel, rating_panel
from training.ablation.results import Metric

TABLE, PLOT = "ablation.md", "ablation.svg"


def write_markdown(
    out: Path, arms: Sequence[Arm], metrics: Mapping[str, Metric], ratings: Mapping[str, Sequence[Rating]]
) -> None:
    """Writes `ablation.md`, a row an arm, and `ablation.svg`: what sets each arm apart from the raw set.

    Args:
        out: folder of the ablation.
        arms: in the order in which they are shown.
        metrics: by name.
        ratings: by who judged; the first one's are shown.
    """
    rated = next(iter(ratings.values()), [])
    lines = "\n".join(_table(arms, list(metrics.values()), {each.arm: each for each in rated}))
    with atomic_path(out / TABLE) as temporary:
        temporary.write_text(lines + "\n", encoding="utf-8")
    panels = [metric_panel(each) for each in metrics.values() if each.better != "neither"]
    if shown := [panel for panel in (*panels, rating_panel(rated)) if panel.points]:
        with atomic_path(out / PLOT) as temporary:
            temporary.write_text(side_by_side(shown), encoding="utf-8")


def _table(arms: Sequence[Arm], metrics: Sequence[Metric], ratings: Mapping[str, Rating]) -> Iterator[str]:
    titles = ["arm", "clips", *(f"{each.name} ({each.better})" for each in metrics), "Elo, lead over raw"]
    yield f"| {' | '.join(titles)} |"
    yield f"| --- | {' | '.join('---:' for _ in titles[1:])} |"
    compared = [{each.arm: each for each in metric.comparisons()} for metric in metrics]
    for arm in arms:
        cells = [arm.name, str(arm.record["counts"]["kept"])]
        for of_metric in compared:
            here = of_metric.get(arm.name)
            cells.append(_cell(here.mean.value, here.difference.low, here.difference.high) if here else "")
        rating = ratings.get(arm.name)
        cells.append(_cell(rating.lead, rating.lead_low, rating.lead_high) if rating else "")
        yield f"| {' | '.join(cells)} |"


def _cell(value: float | None, low: float | None, high: float | None) -> str:
    """A value, and the interval of its difference from the raw set."""
    if value is None:
        return ""
    return f"{value:.4g}" + ("" if low is None or high is None else f" [{low:+.3g}, {high:+.3g}]")
