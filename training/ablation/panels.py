"""What plots of an ablation show: of each arm what sets it apart from the raw set."""

from collections.abc import Sequence

from training.ablation.charts import Panel, Point
from training.ablation.elo import Rating
from training.ablation.results import Metric


def rating_panel(ratings: Sequence[Rating]) -> Panel:
    """Leads over the raw set with their intervals; without points where nothing was rated."""
    points = [
        Point(each.arm, each.lead, each.lead_low, each.lead_high, _side(each.lead_low, each.lead_high, "higher"))
        for each in ratings
        if each.lead is not None
    ]
    return Panel("Elo, lead over raw", points)


def metric_panel(metric: Metric) -> Panel:
    """Differences from the raw set over seeds with their intervals; without points where there are none."""
    points = [
        Point(each.arm, mean.value, mean.low, mean.high, _side(mean.low, mean.high, metric.better))
        for each in metric.comparisons()
        if (mean := each.difference).value is not None
    ]
    return Panel(f"{metric.name}, difference from raw", points)


def _side(low: float | None, high: float | None, better: str) -> bool | None:
    """Whether an interval of a difference lies wholly on the better side of 0, wholly on the worse one, or neither."""
    if low is None or high is None or better == "neither" or low <= 0 <= high:
        return None
    return (low > 0) == (better == "higher")
