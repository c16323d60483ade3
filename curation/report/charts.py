"""Charts as SVG, drawn by Vega-Lite; colours are the page's own, so that they follow its light and dark."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import vl_convert

from curation.report.lines import Line

WIDTH_PX, HEIGHT_PX, TALL_PX = 300, 104, 150
CELL_PX = 24
LABELS_PX = 140
DOMINATED = 12
"""Where the fullest bin has so many times what a filled bin has in the middle, counts are drawn by their root."""
CONFIG = {
    "background": None,
    "font": "inherit",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "labelFontSize": 11,
        "gridColor": "var(--grid)",
        "domain": False,
        "ticks": False,
        "title": None,
        "labelPadding": 5,
    },
}


def histogram(bins: Sequence[dict], lines: Sequence[Line]) -> str:
    """One score: bars of all clips, before them those that the set keeps; lines with the side that fails shaded.

    Args:
        bins: rows of `stats/histograms` of one score and set, without that of missing values, rising.
        lines: the set's lines.
    """
    bars, low, high = _bars(bins)
    root = _is_dominated([row["clips"] for row in bins])
    x = {"type": "quantitative", "scale": {"domain": [low, high], "nice": False, "zero": False, "clamp": True}}
    x |= {"axis": {"grid": False, "tickCount": 5, "labelFlush": True, "title": None}}
    y = {"type": "quantitative", "scale": {"type": "sqrt" if root else "linear"}}
    y |= {"axis": {"tickCount": 3, "format": "~s", "title": None}}
    layers = [_layer(x, y, "clips", "var(--rest)"), _layer(x, y, "kept", "var(--kept)")]
    for line in lines:
        place = min(max(line.limit, low), high)
        layers += _line(x, place, low if line.fails_below else high)
    size = {
        "width": WIDTH_PX,
        "height": TALL_PX if lines else HEIGHT_PX,
        "padding": {"left": 36, "right": 10, "top": 8, "bottom": 22},
    }
    return _svg({**size, "autosize": "none", "data": {"values": bars}, "layer": layers})


def correlation(names: Sequence[str], table: np.ndarray) -> str:
    """A square of cells for the rank correlation of each two scores.

    Args:
        names: of the scores.
        table: (names, names) in -1..1, NaN for none.
    """
    words = "datum.a + ' and ' + datum.b + ': ' + (isValid(datum.r) ? format(datum.r, '+.2f') : 'none')"
    made = {"words": words, "size": "isValid(datum.r) ? abs(datum.r) : 0"}
    made |= {"color": "datum.r < 0 ? 'var(--minus)' : 'var(--plus)'"}
    axis = {"labelLimit": LABELS_PX - 10, "grid": False, "title": None}
    order = list(names)
    return _svg(
        {
            "width": CELL_PX * len(names),
            "height": CELL_PX * len(names),
            "autosize": "none",
            "padding": {"left": LABELS_PX, "right": 40, "top": 4, "bottom": LABELS_PX},
            "data": {"values": _cells(names, table)},
            "transform": [{"calculate": how, "as": name} for name, how in made.items()],
            "mark": {"type": "rect", "stroke": "var(--grid)", "strokeWidth": 1},
            "encoding": {
                "x": {"field": "b", "type": "nominal", "sort": order, "axis": {**axis, "labelAngle": -60}},
                "y": {"field": "a", "type": "nominal", "sort": order, "axis": axis},
                "fill": {"field": "color", "type": "nominal", "scale": None},
                "fillOpacity": {"field": "size", "type": "quantitative", "scale": {"domain": [0, 1], "range": [0, 1]}},
                "description": {"field": "words"},
            },
            "config": {"legend": {"disable": True}},
        }
    )


def _cells(names: Sequence[str], table: np.ndarray) -> list[dict]:
    """The lower half of the square and its diagonal, row by row."""
    return [
        {"a": a, "b": b, "r": None if np.isnan(table[i, j]) else round(float(table[i, j]), 3)}
        for i, a in enumerate(names)
        for j, b in enumerate(names[: i + 1])
    ]


def _bars(bins: Sequence[dict]) -> tuple[list[dict], float, float]:
    """The bars, and where they begin and end: a bin of a long tail is drawn as wide as the others."""
    starts, ends = [row["start"] for row in bins], [row["end"] for row in bins]
    width = (ends[len(bins) // 2] - starts[len(bins) // 2]) or 1.0
    if len(bins) > 1:
        starts[0], ends[-1] = max(starts[0], ends[0] - width), min(ends[-1], starts[-1] + width)
    else:  # a single value stands in the middle
        starts[0], ends[0] = starts[0] - width / 50, starts[0] + width / 50
    bars = [
        {"start": start, "end": end, "clips": row["clips"], "kept": row["kept"] or 0, "words": _words(row)}
        for row, start, end in zip(bins, starts, ends, strict=True)
    ]
    return (bars, starts[0], ends[-1]) if len(bins) > 1 else (bars, starts[0] - width / 2, ends[0] + width / 2)


def _words(row: dict) -> str:
    span = f"{row['start']:.4g} to {row['end']:.4g}: {row['clips']:,} clips"
    return span if row["kept"] is None else f"{span}, {row['kept']:,} kept"


def _is_dominated(counts: Sequence[int]) -> bool:
    filled = [count for count in counts if count]
    return bool(filled) and max(filled) > DOMINATED * float(np.median(filled))


def _layer(x: dict, y: dict, column: str, color: str) -> dict:
    """Bars; those in front say nothing, for those behind them are as wide and say all."""
    told = {"description": {"field": "words"}} if column == "clips" else {}
    mark = {"type": "bar", "binSpacing": 0.6, "color": color, "aria": bool(told)}
    places = {"x": {"field": "start", **x}, "x2": {"field": "end"}, "y": {"field": column, **y}, "y2": {"datum": 0}}
    return {"mark": mark, "encoding": places | told, "transform": [{"filter": f"datum.{column} > 0"}]}


def _line(x: dict, place: float, end: float) -> list[dict]:
    """A line, and the side that fails it up to `end` shaded."""
    alone = {"data": {"values": [{}]}}
    shaded = {"x": {"datum": min(place, end), **x}, "x2": {"datum": max(place, end)}}
    return [
        {**alone, "mark": {"type": "rect", "color": "var(--line)", "opacity": 0.12, "aria": False}, "encoding": shaded},
        {
            **alone,
            "mark": {"type": "rule", "color": "var(--line)", "size": 1.5},
            "encoding": {"x": {"datum": place, **x}},
        },
    ]


def _svg(spec: dict[str, Any]) -> str:
    """The chart as an `<svg>` element."""
    config = CONFIG | spec.get("config", {})
    return vl_convert.vegalite_to_svg(spec | {"config": config})
