"""The outcome of an ablation to be read anywhere: a table in Markdown and a plot beside it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from shards.store import atomic_path
from training.ablation.arms import Arm
from training.ablation.charts import side_by_side
from training.ablation.compare import Comparison
from training.ablation.elo import Rating
from training.ablation.panels import metric_panel, rating_panel
from training.ablation.results import Metric

TABLE, PLOT = "ablation.md", "ablation.svg"
LEGEND = (
    "Means over seeds; after the semicolon the difference from the raw set with its 95 % interval. Elo: the lead over "
    "the raw set, judged"
)


def write_markdown(
    out: Path,
    arms: Sequence[Arm],
    metrics: Mapping[str, Metric],
    ratings: Mapping[str, Sequence[Rating]],
    failed: Collection[str] = (),
) -> None:
    """Writes `ablation.md`, a row an arm, and `ablation.svg`: what sets each arm apart from the raw set.

    Args:
        out: folder of the ablation.
        arms: in the order in which they are shown.
        metrics: by name.
        ratings: by who judged; the first one's are shown.
        failed: trials that count nowhere, by their folder.
    """
    by, rated = next(iter(ratings.items()), ("nobody", []))
    lines = [*_table(arms, list(metrics.values()), {each.arm: each for each in rated}), "", f"{LEGEND} by {by}."]
    lines += ["", f"Failed, which may flatter their arms: {', '.join(failed)}."] if failed else []
    with atomic_path(out / TABLE) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    panels = [metric_panel(each) for each in metrics.values() if each.better != "neither"]
    shown = [panel for panel in (*panels, rating_panel(rated)) if panel.points]
    if not shown:
        (out / PLOT).unlink(missing_ok=True)
        return
    with atomic_path(out / PLOT) as temporary:
        temporary.write_text(side_by_side(shown), encoding="utf-8")


def _table(arms: Sequence[Arm], metrics: Sequence[Metric], ratings: Mapping[str, Rating]) -> Iterator[str]:
    titles = ["arm", "clips", *(f"{each.name} ({each.better})" for each in metrics), "Elo lead"]
    yield f"| {' | '.join(titles)} |"
    yield f"| --- | {' | '.join('---:' for _ in titles[1:])} |"
    compared = [{each.arm: each for each in metric.comparisons()} for metric in metrics]
    for arm in arms:
        cells = [_compared(of_metric[arm.name]) if arm.name in of_metric else "" for of_metric in compared]
        rating = ratings.get(arm.name)
        cells.append(_difference(rating.lead, rating.lead_low, rating.lead_high) if rating else "")
        yield f"| {' | '.join([arm.name, str(arm.record['counts']['kept']), *cells])} |"


def _compared(arm: Comparison) -> str:
    """A mean over seeds and what sets it apart from the raw set's."""
    if arm.mean.value is None:
        return ""
    apart = _difference(arm.difference.value, arm.difference.low, arm.difference.high)
    lacks = f" ({len(arm.missing)} missing)" if arm.missing else ""
    return f"{arm.mean.value:.4g}{lacks}" + (f"; {apart}" if apart else "")


def _difference(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return ""
    return f"{value:+.3g}" + ("" if low is None or high is None else f" [{low:+.3g}, {high:+.3g}]")
