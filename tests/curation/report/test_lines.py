from curation.report.lines import Line, lines

COLUMNS = ["motion", "luma_mean", "text"]


def resolved(*bounds, rules=()):
    return {"resolved": [{"reason": reason, "limit": limit} for reason, limit in bounds], "rules": list(rules)}


def test_sets_share_a_line_and_lines_go_by_column_and_limit():
    rules = {
        "a": resolved(("luma_mean:max", 220.0), ("luma_mean:min", 30.0), ("motion:drop_bottom", 0.5)),
        "b": resolved(("motion:min", 0.5), ("luma_mean:drop_top", 220.0), ("motion:drop_top", 9)),
    }
    assert lines(rules, COLUMNS) == [
        Line("motion", True, 0.5, "", {"a": "motion:drop_bottom", "b": "motion:min"}),
        Line("motion", False, 9.0, "", {"b": "motion:drop_top"}),
        Line("luma_mean", True, 30.0, "", {"a": "luma_mean:min"}),
        Line("luma_mean", False, 220.0, "", {"a": "luma_mean:max", "b": "luma_mean:drop_top"}),
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


def test_a_rule_with_a_name_or_with_a_limit_for_each_group():
    named = {"name": "still", "column": "motion", "min": 0.1}
    rules = {
        "a": resolved(("still", 0.1), ("still:min", 0.2), ("luma_mean:min", {"web": 3.0, "tv": 2.0}), rules=[named])
    }
    found = lines(rules, COLUMNS)
    assert [(line.column, line.limit, line.group) for line in found] == [
        ("motion", 0.1, ""),
        ("motion", 0.2, ""),
        ("luma_mean", 2.0, "tv"),
        ("luma_mean", 3.0, "web"),
    ]
    assert [line.words for line in found[1:3]] == ["at least 0.2", "at least 2 (tv)"]


def test_many_groups_are_cut_short():
    limits = {f"{k:03d}": float(k) for k in range(100)}
    assert [line.limit for line in lines({"a": resolved(("motion:max", limits))}, COLUMNS)] == list(range(8))
