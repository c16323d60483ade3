"""A plot of arms, measured in its SVG: rows in their order, dots and bars where their values lie, tones, texts."""

import re
from xml.etree import ElementTree

import pytest

from training.ablation.charts import ROW_PX, WIDTH_PX, Panel, Point, intervals, side_by_side

POINTS = [
    Point("raw", 0.0, None, None, None),
    Point("b <x> & y", 1.0, 0.5, 2.0, True),
    Point("a", -1.0, -2.0, -0.5, False),
]


def marks(layer: int, points=POINTS) -> list[dict]:
    """Attributes of the marks of a layer: 0 the line of the baseline, 1 bars, 2 dots; with their place in px."""
    svg = ElementTree.fromstring(intervals(Panel("loss & <time>", points)))
    (group,) = (each for each in svg.iter() if f"layer_{layer}_marks" in each.get("class", ""))
    found = []
    for mark in group:
        x, y = map(float, re.findall(r"[-\d.]+", mark.attrib["transform"]))
        found.append(mark.attrib | {"x": x, "y": y, "length": float(mark.get("x2", 0))})
    return found


def px(value: float) -> float:
    """Where a value lies on an axis from -2 to 2."""
    return (value + 2) / 4 * WIDTH_PX


def test_dots_lie_at_their_values_row_by_row():
    dots = marks(2)
    assert [dot["x"] for dot in dots] == pytest.approx([px(point.value) for point in POINTS])
    assert [dot["y"] for dot in dots] == pytest.approx([(number + 0.5) * ROW_PX for number in range(3)])


def test_bars_reach_from_low_to_high_and_are_empty_where_there_is_no_interval():
    bars = marks(1)
    assert [bar["x"] for bar in bars] == pytest.approx([px(0), px(0.5), px(-2)])
    assert [bar["length"] for bar in bars] == pytest.approx([0, px(2) - px(0.5), px(-0.5) - px(-2)])


def test_tones_tell_better_from_worse_from_neither():
    tones = ["var(--rest)", "var(--good)", "var(--bad)"]
    assert [dot["fill"] for dot in marks(2)] == tones == [bar["stroke"] for bar in marks(1)]


def test_the_line_stands_at_the_baseline_over_all_rows():
    (line,) = marks(0)
    assert line["x"] == pytest.approx(px(0)) and float(line["y2"]) == pytest.approx(3 * ROW_PX)


def test_names_and_title_are_texts_whatever_they_hold():
    svg = ElementTree.fromstring(intervals(Panel("loss & <time>", POINTS)))
    texts = ["".join(each.itertext()) for each in svg.iter() if each.tag.endswith("text")]
    assert [text for text in texts if text in [point.arm for point in POINTS]] == [point.arm for point in POINTS]
    assert "loss & <time>" in texts


def test_the_same_points_make_the_same_bytes():
    assert intervals(Panel("m", POINTS)) == intervals(Panel("m", POINTS)) != intervals(Panel("m", POINTS[::-1]))


def test_an_arm_has_one_line_through_all_plots_side_by_side():
    first = Panel("loss", [Point(arm, 0.0, None, None, None) for arm in ("full", "text", "motion")])
    second = Panel("Elo", [Point(arm, 1.0, None, None, None) for arm in ("motion", "new", "full")])
    svg = ElementTree.fromstring(side_by_side([first, second]))
    groups = [each for each in svg.iter() if "layer_2_marks" in each.get("class", "")]
    rows = [[float(re.findall(r"[-\d.]+", mark.attrib["transform"])[1]) for mark in group] for group in groups]
    assert rows[0] == pytest.approx([(row + 0.5) * ROW_PX for row in (0, 1, 2)])
    assert rows[1] == pytest.approx([(row + 0.5) * ROW_PX for row in (2, 3, 0)])
