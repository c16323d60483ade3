"""Plots of an ablation: an arm a row, a dot for its mean, a bar for its interval; drawn by Vega-Lite as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

import vl_convert

WIDTH_PX, ROW_PX = 420, 19
CONFIG = {
    "background": None,
    "font": "inherit",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "labelLimit": 230,
        "gridColor": "var(--grid)",
        "domain": False,
        "ticks": False,
    },
}


@dataclass(frozen=True)
class Point:
    """An arm in a plot."""

    arm: str
    value: float
    low: float | None
    high: float | None
    is_better: bool | None
    """Whether the interval lies on the better side of the baseline, or on the worse one; None: on neither."""


def intervals(points: Sequence[Point], title: str, baseline: float) -> str:
    """The plot as SVG, arms in their order.

    Args:
        points: at least one.
        title: of the axis.
        baseline: where a line stands.
    """
    tone = {True: "var(--good)", False: "var(--bad)", None: "var(--rest)"}
    rows = [
        {"arm": p.arm, "value": p.value, "low": p.value if p.low is None else p.low}
        | {"high": p.value if p.high is None else p.high, "tone": tone[p.is_better]}
        for p in points
    ]
    y = {"field": "arm", "type": "nominal", "sort": None, "axis": {"title": None, "grid": True}}
    x = {"type": "quantitative", "scale": {"zero": False}, "axis": {"title": title, "tickCount": 5}}
    color = {"field": "tone", "type": "nominal", "scale": None, "legend": None}
    bar = {
        "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.6},
        "encoding": {"y": y, "x": x | {"field": "low"}, "x2": {"field": "high"}, "color": color},
    }
    dot = {
        "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
        "encoding": {"y": y, "x": x | {"field": "value"}, "color": color},
    }
    line = {
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": "var(--muted)"},
        "data": {"values": [{"at": baseline}]},
        "encoding": {"x": x | {"field": "at"}},
    }
    spec = {"width": WIDTH_PX, "height": {"step": ROW_PX}, "data": {"values": rows}, "layer": [line, bar, dot]}
    return vl_convert.vegalite_to_svg({"config": CONFIG, **spec})
