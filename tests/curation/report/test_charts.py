import re
import xml.etree.ElementTree as ET

import numpy as np

from curation.report.charts import correlation, histogram
from curation.report.lines import Line

BOX = r"M([-\d.e]+),([-\d.e]+)h([-\d.e]+)v([-\d.e]+)"
SVG = "{http://www.w3.org/2000/svg}"
BINS = [{"start": k / 10, "end": (k + 1) / 10, "clips": 10 * k, "kept": 5 * k} for k in range(10)]


def paths(svg, color):
    """The boxes (x, y, width, height) drawn in a colour: of `M{x},{y}h{width}v{height}...`."""
    drawn = [path.get("d") for path in ET.fromstring(svg).iter(f"{SVG}path") if path.get("fill") == color]
    return [list(map(float, re.match(BOX, path).groups())) for path in drawn if path]


def test_bars_are_as_high_as_their_counts_and_kept_ones_stand_before_all():
    svg = histogram(BINS, [])
    clips, kept = paths(svg, "var(--rest)"), paths(svg, "var(--kept)")
    assert len(clips) == len(kept) == 9  # the empty bin has no bar
    heights = np.array([box[3] for box in clips])
    assert np.allclose(heights / heights[-1], np.arange(1, 10) / 9) and np.allclose(
        [box[3] for box in kept], heights / 2
    )
    assert "0.9 to 1: 90 clips, 45 kept" in svg
    assert svg.index("var(--rest)") < svg.index("var(--kept)")


def test_the_side_that_fails_is_shaded():
    whole = paths(histogram(BINS, [Line("a", False, -5.0)]), "var(--line)")[0]
    low, high = (paths(histogram(BINS, [Line("a", below, 0.25)]), "var(--line)")[0] for below in (True, False))
    assert low[0] == whole[0] and np.isclose(low[2] / whole[2], 0.25)
    assert np.isclose(high[2] / whole[2], 0.75) and np.isclose(high[0], low[0] + low[2])


def test_a_long_tail_and_a_single_value_are_as_wide_as_a_bin():
    tailed = [*BINS, {"start": 1.0, "end": 1e6, "clips": 3, "kept": None}]
    widths = [box[2] for box in paths(histogram(tailed, []), "var(--rest)")]
    assert np.allclose(widths, widths[0], rtol=0.05)
    (single,) = paths(histogram([{"start": 7.0, "end": 7.0, "clips": 3, "kept": 1}], []), "var(--rest)")
    assert single[2] < 15 and np.isclose(single[0] + single[2] / 2, 150, atol=1)


def test_one_full_bin_does_not_hide_the_others():
    svg = histogram([{**row, "clips": 1000 if k == 0 else 10} for k, row in enumerate(BINS)], [])
    heights = [box[3] for box in paths(svg, "var(--rest)")]
    assert np.isclose(heights[1] / heights[0], 0.1, atol=0.01)  # the root of a hundredth


def test_cells_tell_their_number_and_names_are_no_markup():
    name = '<script>alert("x")</script>&'
    svg = correlation(["a", name, "c"], np.array([[1, -0.5, np.nan], [-0.5, 1, 0.25], [np.nan, 0.25, 1]]))
    root = ET.fromstring(svg)
    told = {e.get("aria-label"): e for e in root.iter(f"{SVG}path") if e.get("aria-label")}
    assert {f"{name} and a: \u22120.50", f"c and {name}: +0.25", "c and a: none"} <= set(told)
    assert told[f"{name} and a: \u22120.50"].get("fill") == "var(--minus)"
    assert float(told[f"{name} and a: \u22120.50"].get("fill-opacity")) == 0.5
    assert not list(root.iter(f"{SVG}script"))
