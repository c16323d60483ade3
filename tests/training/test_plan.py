import re
from itertools import pairwise

import pytest
from processor import processor_time
from tiny_recipe import TinyRecipe

from training.__main__ import main


@pytest.fixture
def without_costs(monkeypatch):
    """They take seconds a stage."""
    monkeypatch.setattr("training.plan.costs", lambda stage: [])


def test_the_plan_of_svd_needs_no_weights_and_no_data(without_costs, capsys):
    assert main(["plan", "--recipe", "svd", "--data.shards", "nowhere"]) == 0
    said = capsys.readouterr().out
    assert "SvdUnet: 1,524.6 M parameters, 656.1 M of them temporal, 868.5 M train" in said  # stage 1
    assert said.count("1,524.6 M train") == 7
    assert "150,000 steps of 1,536 samples" in said and "LogNormal(mean=0.5, std=1.4)" in said
    assert "(T, C, h, w) = (14, 4, 72, 128)" in said
    assert said.count("there are no shards in nowhere") == 9


def test_the_plan_says_what_is_skipped(tmp_path, capsys):
    tiny = TinyRecipe(tmp_path)
    tiny.pack()
    assert main(["plan", "--recipe", str(tiny.recipe), "--stage", "2"]) == 0
    said = capsys.readouterr().out
    assert "stage 2, from stage 1" in said and "5 usable + 1 skipped (1 too short)" in said
    assert not tiny.runs.exists()


@pytest.mark.parametrize("recipe", ["demo", "svd", "svd-small"])
def test_shipped_recipes_build(recipe, without_costs, capsys):
    assert main(["plan", "--recipe", recipe, "--data.shards", "nowhere"]) == 0


def test_the_plan_says_what_a_step_costs(capsys):
    """As counted by hand: 1,524.6 M parameters, of which SVD trains all, in float32, two moments, one average."""
    assert main(["plan", "--recipe", "svd", "--stage", "2a", "--data.shards", "nowhere"]) == 0
    said = capsys.readouterr().out
    step, memory = next((a, b) for a, b in pairwise(said.splitlines()) if "1,536 samples 14x256x384" in a)
    assert f"{1536 * 14 * 32 * 48:,} tokens" in step and "TFLOP a sample" in step
    assert "weights 6.1 GB, gradients 6.1 GB, moments 12.2 GB, averages 6.1 GB, copies 3.05 GB" in memory


def test_shards_hold_their_share(tmp_path, capsys):
    tiny = TinyRecipe(tmp_path)
    plan = ["plan", "--recipe", str(tiny.recipe), "--stage", "1", "--trainer.devices", "2"]
    assert main(plan) == 0 and main([*plan, "--trainer.strategy", "fsdp2"]) == 0
    whole, share = (float(found) for found in re.findall(r"weights ([\d.]+) MB", capsys.readouterr().out))
    assert share == pytest.approx(whole / 2, rel=0.01)


def test_help_costs_little():
    seconds, text = processor_time("-m", "training", "--help")
    assert "train" in text and seconds < 5
