"""Plots of an ablation: an arm a row, a dot for its mean, a bar for its interval; drawn by Vega-Lite as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert

WIDTH_PX, NARROW_PX, ROW_PX = 420, 180, 19
COLOURS = {"good": "#2866c8", "bad": "#d4480b", "rest": "#8b9099", "muted": "#666c75", "grid": "#e3e2dc"}
"""Those of the page in light, for plots on their own."""
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


@dataclass(frozen=True)
class Panel:
    """One plot."""

    title: str
    """Of the axis."""
    points: Sequence[Point]
    """In the order in which they are shown."""


def intervals(panel: Panel) -> str:
    """A plot as SVG for a page that sets its colours.

    Args:
        panel: with at least one point.
    """
    return vl_convert.vegalite_to_svg(
        {"config": CONFIG, **_spec(panel, WIDTH_PX, [point.arm for point in panel.points])}
    )


def side_by_side(panels: Sequence[Panel]) -> str:
    """Plots in a row as an SVG of its own; each arm has one line through all of them, whether or not it has a point.

    Args:
        panels: at least one, each with a point.
    """
    arms = list(dict.fromkeys(point.arm for panel in panels for point in panel.points))
    specs = [_spec(panel, NARROW_PX, arms) for panel in panels]
    for spec in specs[1:]:
        for layer in spec["layer"][1:]:
            layer["encoding"]["y"] = layer["encoding"]["y"] | {"axis": {"labels": False, "title": None, "grid": True}}
    config = CONFIG | {"background": "white", "font": "sans-serif"}
    svg = vl_convert.vegalite_to_svg({"config": config, "hconcat": specs})
    for name, colour in COLOURS.items():
        svg = svg.replace(f"var(--{name})", colour)
    return svg


def _spec(panel: Panel, width_px: int, arms: Sequence[str]) -> dict[str, Any]:
    tone = {True: "var(--good)", False: "var(--bad)", None: "var(--rest)"}
    rows = [
        {"arm": p.arm, "value": p.value, "low": p.value if p.low is None else p.low}
        | {"high": p.value if p.high is None else p.high, "tone": tone[p.is_better]}
        for p in panel.points
    ]
    y = {"field": "arm", "type": "nominal", "scale": {"domain": list(arms)}, "axis": {"title": None, "grid": True}}
    x = {"type": "quantitative", "scale": {"zero": False}, "axis": {"title": panel.title, "tickCount": 5}}
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
        "data": {"values": [{"at": 0.0}]},
        "encoding": {"x": x | {"field": "at"}},
    }
    return {"width": width_px, "height": {"step": ROW_PX}, "data": {"values": rows}, "layer": [line, bar, dot]}
