import pyarrow as pa
import pytest
from test_rule_meaning import apply, is_missing, made

from curation import filter
from curation.config import CurateConfig, RuleSet
from curation.rule import Rule
from curation.sweep import sweep_sets

COLUMNS = {"flow": pa.float32(), "area": pa.float32(), "size": pa.int32(), "label": pa.string()}
BASE = RuleSet([Rule("flow", min=1, if_null="keep"), Rule("area", drop_top=0.1), Rule("size", min=3)], "exact")


def test_each_score_with_a_rule_is_swept_on_the_side_where_it_cuts():
    sets = sweep_sets(BASE, COLUMNS)
    shares = ["12_5", "25", "50"]
    names = [*(f"sweep_flow_bottom_{share}" for share in shares), *(f"sweep_area_top_{share}" for share in shares)]
    assert list(sets) == ["sweep_raw", "sweep_full", *names]
    assert sets["sweep_raw"] == RuleSet([], "exact") and sets["sweep_full"] == BASE
    assert sets["sweep_flow_bottom_12_5"] == RuleSet([Rule("flow", drop_bottom=0.125, if_null="keep")], "exact")
    assert sets["sweep_area_top_50"] == RuleSet([Rule("area", drop_top=0.5)], "exact")


def test_scores_may_be_named_with_their_side():
    named = ["area", "flow:top", "size"]
    assert list(sweep_sets(BASE, COLUMNS, named, [0.1]))[2:] == [
        "sweep_area_top_10",
        "sweep_flow_top_10",
        "sweep_size_bottom_10",
    ]


def test_a_rule_that_cuts_on_both_sides_is_swept_on_both():
    both = RuleSet([Rule("flow", min=1, max=9)])
    assert list(sweep_sets(both, COLUMNS, shares=[0.5]))[2:] == ["sweep_flow_bottom_50", "sweep_flow_top_50"]


@pytest.mark.parametrize(
    ("rules", "named", "shares", "message"),
    [
        ([Rule("flow", min=1)], ["flow:left"], [0.5], "`left` is no side; say flow:bottom or flow:top"),
        ([Rule("flow", min=1)], [], [0.5, 1.0], "1.0 does not lie between 0 and 1"),
        ([Rule("label", equals="a"), Rule("size", min=1)], [], [0.5], "no rule with a bound on a score"),
    ],
)
def test_what_makes_no_sense_is_refused(rules, named, shares, message):
    with pytest.raises(ValueError, match=message):
        sweep_sets(RuleSet(rules), COLUMNS, named, shares)


def test_a_subset_removes_its_share_and_nothing_else(tmp_path):
    corpus, clips = made(tmp_path, seed=3)
    apply(corpus)
    sets = sweep_sets(RuleSet([Rule("area", min=0.1)]), {"area": pa.float32()}, shares=[0.25])
    filter.run(corpus, CurateConfig(scorers={"motion": None, "text": None}, sets=sets))
    kept = corpus.read_all("verdicts/sweep_area_bottom_25")["rejected_by"].to_pylist()
    values = sorted(clip["area"] for clip in clips if not is_missing(clip["area"]))
    line = values[len(values) // 4]
    assert [not why for why in kept] == [not is_missing(clip["area"]) and clip["area"] >= line for clip in clips]
    assert corpus.read_all("verdicts/sweep_raw")["rejected_by"].to_pylist() == [[]] * len(clips)
