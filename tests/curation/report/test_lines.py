import numpy as np
import pyarrow as pa
import pytest

from curation.bounds import Bound
from curation.report.lines import Line, lines, most_telling
from curation.report.strips import sides
from curation.rule import Rule

COLUMNS = {"motion": pa.float64(), "luma_mean": pa.float64(), "text": pa.float64()}


def resolved(*bounds):
    return {"resolved": [{"reason": reason, "limit": limit} for reason, limit in bounds]}


def test_sets_share_a_line_and_lines_go_by_column_and_limit():
    rules = {
        "a": resolved(("luma_mean:max", 220.0), ("luma_mean:min", 30.0), ("motion:drop_bottom", 0.5)),
        "b": resolved(("motion:min", 0.5), ("luma_mean:drop_top", 220.0), ("motion:drop_top", 9)),
    }
    assert lines(rules, COLUMNS) == [
        Line("motion", True, 0.5, reasons={"a": "motion:drop_bottom", "b": "motion:min"}),
        Line("motion", False, 9.0, reasons={"b": "motion:drop_top"}),
        Line("luma_mean", True, 30.0, reasons={"a": "luma_mean:min"}),
        Line("luma_mean", False, 220.0, reasons={"a": "luma_mean:max", "b": "luma_mean:drop_top"}),
    ]


def test_what_draws_no_line():
    odd = [
        ("motion:drop_top", None),
        ("gone:min", 1.0),
        ("text:equals", "a"),
        ("motion:equals", 3),
        ("duplicate", None),
    ]
    assert lines({"a": resolved(*odd, ("motion:min", float("nan")), ("motion:max", True))}, COLUMNS) == []
    assert lines({"a": {}}, COLUMNS) == []


def test_rules_with_a_name_a_condition_or_groups():
    still = {"name": "still", "column": "motion", "min": 0.1}
    where = {"column": "source", "equals": "web"}
    groups = [{"group": "web", "limit": 3.0}, {"group": None, "limit": 2.0}, {"group": "few", "limit": None}]
    bounds = [
        {"reason": "still:min", "limit": 0.1, "where": where},
        {"reason": "luma_mean:drop_top", "limit": None, "groups": groups, "by": "source", "share": 0.25},
        {"reason": "text:equals", "limit": None, "equals": [1]},
    ]
    found = lines({"a": {"rules": [still], "resolved": bounds}}, COLUMNS)
    assert [(line.column, line.words, line.reasons["a"]) for line in found] == [
        ("motion", "at least 0.1 (where source equals web)", "still:min"),
        ("luma_mean", "at most 2 (None)", "luma_mean:drop_top"),
        ("luma_mean", "at most 3 (web)", "luma_mean:drop_top"),
    ]


def test_many_groups_are_cut_short():
    groups = [{"group": f"{k:03d}", "limit": float(k)} for k in range(100)]
    record = {"resolved": [{"reason": "motion:max", "limit": None, "groups": groups}]}
    assert [line.limit for line in lines({"a": record}, COLUMNS)] == list(range(8))


def test_of_too_many_lines_each_score_keeps_those_that_take_most():
    told = {"motion:min": 3, "still:min": 5, "fast:max": 4, "text:max": 1, "dark:min": 2}
    named = [{"name": "still", "column": "motion"}, {"name": "fast", "column": "motion"}]
    named += [{"name": "dark", "column": "luma_mean"}]
    bounds = [{"reason": reason, "limit": 10.0 - clips} for reason, clips in told.items()]
    rules = {"a": {"rules": named, "resolved": bounds, "reasons": {r: {"clips": n} for r, n in told.items()}}}
    found = lines(rules, COLUMNS)
    assert most_telling(found, rules, 5) == found
    kept = [[line.reasons["a"] for line in most_telling(found, rules, most)] for most in (1, 3, 4)]
    assert kept[0] == ["still:min"]
    assert kept[1] == ["still:min", "dark:min", "text:max"]
    assert kept[2] == ["still:min", "fast:max", "dark:min", "text:max"]


@pytest.mark.parametrize("dtype", [pa.float32(), pa.float64(), pa.int32()])
@pytest.mark.parametrize("kind", ["min", "max"])
def test_a_line_has_the_clips_on_the_side_on_which_filter_puts_them(dtype, kind):
    values = pa.array([0.1, 0.7, 0.3, 7.0, 0.6999999, 0.7000001]).cast(dtype, safe=False)
    for limit in (0.1, 0.3, 0.7, 1e300):
        fails = Bound(Rule("motion", **{kind: limit}), kind, limit).fails(pa.table({"motion": values}))
        (line,) = lines({"a": resolved((f"motion:{kind}", limit))}, {"motion": dtype})
        for strip, expected in zip(sides(line), (fails, ~fails), strict=True):
            assert np.array_equal(~np.isnan(strip.distances(values.cast(pa.float64()).to_numpy())), expected)
        assert line.words.endswith(f" {limit:.4g}")
