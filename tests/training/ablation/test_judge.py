"""Automatic votes: who wins by a value, what is a tie, what is left out, and ranks over several metrics."""

import math

import pytest

from training.ablation.judge import Criterion, _ranks, judge, judge_by_ranks
from training.ablation.votes import VOTES, Round

ONE, TWO = Round("a cat", 1, 0), Round("a cat", 1, 1)


def told(table):
    return [(row["trial_seed"], row["first"], row["second"], row["outcome"]) for row in table.to_pylist()]


@pytest.mark.parametrize(("better", "outcomes"), [("higher", ["second", "first"]), ("lower", ["first", "second"])])
def test_the_better_value_wins(better, outcomes):
    table = judge({"b": {ONE: 0.2, TWO: 0.1}, "a": {ONE: 0.1, TWO: 0.2}}, Criterion("clip", better))
    assert told(table) == [(0, "a", "b", outcomes[0]), (1, "a", "b", outcomes[1])]
    assert table.schema.equals(VOTES, check_metadata=True)
    row = table.to_pylist()[0]
    assert row["by"] == f"clip; {better} wins, a tie within 0" and row["at"] is None
    assert (row["caption"], row["video_seed"]) == ("a cat", 1)


@pytest.mark.parametrize(("tolerance", "outcome"), [(0.0, "second"), (0.25, "tie"), (0.5, "tie"), (0.125, "second")])
def test_what_is_close_is_a_tie(tolerance, outcome):
    values = {"a": {ONE: 1.0}, "b": {ONE: 1.25}}
    assert told(judge(values, Criterion("m", "higher", tolerance))) == [(0, "a", "b", outcome)]
    assert told(judge({"a": {ONE: 1.0}, "b": {ONE: 1.0}}, Criterion("m", "lower"))) == [(0, "a", "b", "tie")]


def test_only_rounds_that_both_arms_have_are_compared():
    values = {"a": {ONE: 1.0, TWO: 1.0}, "b": {TWO: 2.0}, "c": {ONE: math.nan, TWO: math.inf}, "d": {}}
    assert told(judge(values, Criterion("m", "higher"))) == [(1, "a", "b", "second")]
    assert judge({}, Criterion("m", "higher")).num_rows == 0


def test_every_two_arms_are_compared():
    table = judge({f"arm{i}": {ONE: i, TWO: -i} for i in range(5)}, Criterion("m", "higher"))
    assert table.num_rows == 2 * 10 and {row[3] for row in told(table) if row[0] == 0} == {"second"}


@pytest.mark.parametrize(
    ("values", "criterion", "ranks"),
    [
        ([3.0, 1.0, 2.0], Criterion("m", "higher"), [1, 3, 2]),
        ([3.0, 1.0, 2.0], Criterion("m", "lower"), [3, 1, 2]),
        ([5.0, 5.0, 1.0, 5.0], Criterion("m", "higher"), [2, 2, 4, 2]),
        ([1.0, 1.1, 9.0], Criterion("m", "higher", 0.5), [2.5, 2.5, 1]),
    ],
)
def test_ranks(values, criterion, ranks):
    assert _ranks(values, criterion).tolist() == ranks


def test_the_mean_rank_decides_whatever_the_scales():
    small, large = Criterion("small", "higher"), Criterion("large", "lower")
    first = {"a": {ONE: 0.3}, "b": {ONE: 0.2}, "c": {ONE: 0.1}}  # ranks 1, 2, 3
    second = {"a": {ONE: 10.0}, "b": {ONE: 1e6}, "c": {ONE: 20.0}}  # ranks 1, 3, 2
    table = judge_by_ranks([(small, first), (large, second)])
    assert told(table) == [(0, "a", "b", "first"), (0, "a", "c", "first"), (0, "b", "c", "tie")]
    assert table.column("by")[0].as_py().startswith(f"mean rank over 2 metrics ({small.by} | {large.by}); lower wins")
    assert told(judge_by_ranks([(small, first), (large, second)], tolerance=1.5))[0] == (0, "a", "b", "tie")


def test_an_arm_that_lacks_a_metric_is_left_out_of_the_round():
    metric = Criterion("m", "higher")
    full = {"a": {ONE: 1.0, TWO: 1.0}, "b": {ONE: 2.0, TWO: 2.0}, "c": {ONE: 3.0, TWO: 3.0}}
    gaps = {"a": {ONE: 1.0, TWO: 1.0}, "b": {ONE: math.nan, TWO: 2.0}, "c": {ONE: 3.0}}
    assert told(judge_by_ranks([(metric, full), (metric, gaps)])) == [(1, "a", "b", "second"), (0, "a", "c", "second")]


@pytest.mark.parametrize("wrong", [{"better": "neither"}, {"better": "higher", "tolerance": -1}])
def test_a_criterion_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="m: say better = higher or lower, and a tolerance of at least 0"):
        Criterion("m", **wrong)
