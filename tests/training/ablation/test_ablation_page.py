"""The page of an ablation: colours only where an interval is sure, names as text, gaps and failures said aloud."""

import json
import re

import pytest
import yaml

from training.ablation.arms import Arm
from training.ablation.elo import Rating
from training.ablation.page import write_page
from training.ablation.panels import _side
from training.ablation.results import Metric

RULES = [{"column": "motion", "min": 0.5}]
RATED = [
    Rating("full", 12, 1010.25, 1010.0, 1001.0, 1020.0, 20.5, 2.0, 40.0),
    Rating("blur", 12, 999.5, 999.0, 990.0, 1009.0, 9.75, -20.0, 39.0),
    Rating("raw", 12, 989.75, 989.0, 980.0, 999.0),
]


@pytest.fixture
def arms(tmp_path):
    for number, name in enumerate(("raw", "full", "blur")):
        (tmp_path / name).mkdir()
        told = {"rules": [], "counts": {"clips": 60, "kept": 60 - 7 * number}}
        (tmp_path / name / "rules.json").write_text(json.dumps(told))
    return [Arm(name, tmp_path / name) for name in ("raw", "full", "blur")]


def page_of(arms, metrics=(), ratings=None, sets=None, failed=None):
    out = arms[0].verdicts.parent
    told = {each.name: each for each in metrics}
    return write_page(out, arms, told, ratings or {}, sets or {}, failed or {}).read_text(encoding="utf-8")


def rows(page, arm):
    """Texts of the cells of an arm's rows, table by table."""
    found = re.findall(rf"<tr><td>{arm}</td>.*?</tr>", page)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in found]


def tones(page):
    """Of the dots of all plots, in order."""
    return re.findall(r'<path aria-label="value[^>]*fill="var\(--(\w+)\)"', page)


@pytest.mark.parametrize(
    ("low", "high", "better", "side"),
    [
        (1, 2, "higher", True),
        (1, 2, "lower", False),
        (-2, -1, "higher", False),
        (-2, -1, "lower", True),
        (-1, 2, "higher", None),
        (0, 2, "higher", None),
        (None, None, "lower", None),
        (1, 2, "neither", None),
    ],
)
def test_only_a_whole_interval_beside_zero_takes_a_side(low, high, better, side):
    assert _side(low, high, better) is side


def test_ratings_are_told_by_who_judged_and_leads_are_plotted(arms):
    page = page_of(arms, ratings={"people": RATED})
    assert rows(page, "full")[-1] == ["full", "1010", "1001 to 1020", "20.5", "2 to 40", "12"]
    assert rows(page, "raw")[-1] == ["raw", "989.8", "980 to 999", "–", "–", "12"]
    assert tones(page) == ["good", "rest"] and "people. Intervals" in page and "Nobody has voted" not in page


def test_metrics_are_told_with_what_sets_arms_apart(arms):
    values = {"raw": {0: 1.0, 1: 3.0}, "full": {0: 0.5, 1: 2.5}, "blur": {0: 2.0, 1: None}}
    page = page_of(arms, [Metric("loss", "lower", "of 4 frames", values)])
    assert rows(page, "full")[-1] == ["full", "1.5", "-11.21 to 14.21", "2", "-0.5", "-0.5 to -0.5", "2"]
    assert rows(page, "blur")[-1] == ["blur", "2", "–", "1 of 2", "1", "–", "1"]
    assert tones(page) == ["good", "rest"] and "lower is better. of 4 frames" in page


def test_one_arm_alone_has_values_and_no_plot(arms):
    page = page_of(arms[:1], [Metric("loss", "lower", "p", {"raw": {0: 1.0}})])
    assert rows(page, "raw")[-1][:2] == ["raw", "1"] and "<svg" not in page


def test_a_metric_without_a_value_is_named_and_not_shown(arms):
    shown, lacking = Metric("loss", "lower", "p", {"raw": {0: 1.0}}), Metric("fvd", "lower", "p", {"raw": {0: None}})
    page = page_of(arms, [shown, lacking])
    assert "<h3>loss</h3>" in page and "<h3>fvd</h3>" not in page and "Without a value: fvd; " in page
    assert "Without a value" not in page_of(arms, [shown])


def test_what_each_arm_kept_stands_in_the_order_of_the_arms(arms):
    page = page_of(arms)
    kept = re.findall(r"<tr><td>(\w+)</td><td[^>]*>(\d+)</td><td[^>]*>(\d+)</td>", page)
    assert kept == [("raw", "60", "60"), ("full", "53", "60"), ("blur", "46", "60")]
    assert "Nobody has voted" in page and "Trials that failed" not in page


def test_rules_that_won_can_be_copied(arms):
    page = page_of(arms, sets={"ablation_won": {"rules": RULES}})
    assert yaml.safe_load(re.search(r"<h3>ablation_won</h3><pre>(.*?)</pre>", page, re.DOTALL)[1]) == RULES


def test_why_no_rules_have_won_is_said(arms):
    assert "None, without votes." in page_of(arms)
    assert "None: no arm beats the raw set beyond" in page_of(arms, ratings={"people": RATED[1:]})


def test_names_and_errors_are_text(arms):
    page = page_of(
        arms, [Metric("<b>", "lower", "p & q", {"raw": {0: 1.0}})], failed={"full-0": "<script> & no memory"}
    )
    assert "<p>full-0: &lt;script&gt; &amp; no memory</p>" in page and "<script" not in page
    assert "<h3>&lt;b&gt;</h3>" in page and "p &amp; q" in page


def test_the_page_needs_nothing_beside_it(arms):
    page = page_of(arms, [Metric("loss", "lower", "p", {"raw": {0: 1.0}, "full": {0: 2.0}})], {"people": RATED})
    assert page.count("<svg") == 2 and not re.search(r"src=|href=\"(?!#)|@import|url\(", page)
