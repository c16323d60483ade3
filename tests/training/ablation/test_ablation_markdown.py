"""The summary of an ablation: the numbers of the trials, and a plot that stands by itself."""

from xml.etree import ElementTree

from ablated import told_arm

from training.ablation.elo import Rating
from training.ablation.markdown import PLOT, TABLE, write_markdown
from training.ablation.results import Metric

LOSS = Metric("held_out_loss", "lower", "", {"raw": {0: 0.8, 1: 0.9}, "full": {0: 0.75, 1: 0.85001}})
DEGREE = Metric("dynamic_degree", "neither", "", {"raw": {0: 1.0, 1: None}, "full": {0: 0.5, 1: None}})
RATED = [
    Rating("full", 6, 1010.0, 1010.0, 1004.0, 1016.0, 20.0, 8.0, 32.0),
    Rating("raw", 6, 990.0, 990.0, 984.0, 996.0),
]


def summary(tmp_path, metrics, ratings):
    arms = [told_arm(tmp_path, "raw", 10), told_arm(tmp_path, "full", 6)]
    write_markdown(tmp_path, arms, {each.name: each for each in metrics}, ratings)
    lines = (tmp_path / TABLE).read_text().splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]


def test_a_row_an_arm_with_means_and_intervals_of_the_difference(tmp_path):
    titles, _, raw, full = summary(tmp_path, [LOSS, DEGREE], {"the judge": RATED})
    assert titles == ["arm", "clips", "held_out_loss (lower)", "dynamic_degree (neither)", "Elo lead"]
    assert raw == ["raw", "10", "0.85", "1 (1 missing)", ""]
    assert full == ["full", "6", "0.8; -0.05 [-0.0501, -0.0499]", "0.5 (1 missing); -0.5", "+20 [+8, +32]"]


def test_the_plot_stands_by_itself(tmp_path):
    summary(tmp_path, [LOSS, DEGREE], {"the judge": RATED})
    text = (tmp_path / PLOT).read_text()
    words = {element.text for element in ElementTree.fromstring(text).iter() if element.text}
    assert {"held_out_loss, difference from raw", "Elo, lead over raw", "full"} <= words
    assert "dynamic_degree, difference from raw" not in words, "of which no value is better"
    assert "var(" not in text and "#2866c8" in text and "#d4480b" not in text


def test_without_differences_there_is_no_plot(tmp_path):
    titles, _, raw = summary(tmp_path, [], {})[:3]
    assert titles == ["arm", "clips", "Elo lead"] and raw == ["raw", "10", ""]
    assert not (tmp_path / PLOT).exists()
