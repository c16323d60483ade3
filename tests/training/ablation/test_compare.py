"""Means and differences over seeds against closed forms and printed tables of Student's t."""

import math

import pytest

from training.ablation.compare import Mean, compare, mean_over_seeds, student_t

PRINTED = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 8: 2.306, 9: 2.262, 10: 2.228, 29: 2.045, 30: 2.042}


@pytest.mark.parametrize(("freedom", "t"), PRINTED.items())
def test_t_as_tables_print_it(freedom, t):
    assert student_t(freedom) == pytest.approx(t, abs=5e-4)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_t_in_closed_form(confidence):
    assert student_t(1, confidence) == pytest.approx(math.tan(math.pi / 2 * confidence), rel=1e-9)
    assert student_t(2, confidence) == pytest.approx(confidence * math.sqrt(2 / (1 - confidence**2)), rel=1e-9)
    assert student_t(4000, 0.95) == pytest.approx(1.96055, abs=1e-4)  # nearly normal: 1.95996


@pytest.mark.parametrize("arguments", [(0, 0.95), (3, 0.0), (3, 1.0), (3, math.nan)])
def test_t_out_of_range_is_refused(arguments):
    with pytest.raises(ValueError, match="no t for"):
        student_t(*arguments)


def test_the_interval_of_a_mean():
    found = mean_over_seeds([1.0, 2.0, 3.0])  # s = 1
    assert found.value == 2 and found.num_seeds == 3
    reach = 4.302653 / math.sqrt(3)
    assert (found.low, found.high) == (pytest.approx(2 - reach, abs=1e-6), pytest.approx(2 + reach, abs=1e-6))
    assert mean_over_seeds([1.0, 2.0, 3.0], 0.99).high > found.high


@pytest.mark.parametrize(("values", "mean"), [([], Mean(None, None, None, 0)), ([5.0], Mean(5.0, None, None, 1))])
def test_too_few_seeds_give_no_interval(values, mean):
    assert mean_over_seeds(values) == mean


def test_pairs_of_a_seed_take_out_what_both_share():
    """Seeds differ by 100, arms by 1 and a little: only the difference sees it."""
    raw, better = compare({"raw": {0: 0.0, 1: 100.0, 2: 200.0}, "x": {0: 0.9, 1: 101.0, 2: 201.1}})
    assert raw.arm == "raw" and raw.difference == Mean(None, None, None, 0)
    assert better.mean.low < raw.mean.value and better.difference.value == pytest.approx(1)
    reach = 4.302653 * 0.1 / math.sqrt(3)
    assert better.difference.low == pytest.approx(1 - reach, abs=1e-6)
    assert better.difference.high == pytest.approx(1 + reach, abs=1e-6)


def test_only_seeds_of_both_make_a_difference():
    found = {each.arm: each for each in compare({"raw": {0: 1.0, 1: 2.0, 2: None}, "x": {1: 5.0, 2: 7.0, 3: math.nan}})}
    assert found["x"].difference == Mean(3.0, None, None, 1)
    assert found["x"].mean.value == 6 and found["x"].missing == (3,) and found["raw"].missing == (2,)


def test_another_baseline_or_none():
    values = {"a": {0: 1.0}, "b": {0: 3.0}}
    assert [each.difference.value for each in compare(values)] == [None, None]
    assert [each.difference.value for each in compare(values, "b")] == [-2.0, None]
