"""A stage on several ranks, which share each step, and one that goes on with another number of them."""

import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_recipe import TinyRecipe

from training.__main__ import main
from training.run import Run

ACCUMULATED = ("--trainer.accumulate_grad_batches", "2")
TWO_RANKS = ("--trainer.devices", "2")


def losses(tiny):
    found = EventAccumulator(str(tiny.runs / "1" / "tensorboard")).Reload().Scalars("loss")
    return {event.step: event.value for event in found}


@pytest.mark.slow
def test_a_run_that_goes_on_with_two_ranks_in_place_of_one_sees_the_same(tmp_path, break_at):
    """Two batches a step, by one rank after the other or by two ranks at once: the same samples, the same step."""
    tiny = TinyRecipe(tmp_path)
    tiny.pack()
    rate = ("--model.optimizer.learning_rate", "1e-5")  # gray frames make gradients that rounding changes much
    assert main(tiny.train("1", *rate, *ACCUMULATED)) == 0
    whole, weights, tiny.runs = losses(tiny), load_file(tiny.runs / "1" / "raw.safetensors"), tmp_path / "broken"
    break_at(8)
    assert main(tiny.train("1", *rate, *ACCUMULATED)) == 1
    command = [sys.executable, "-m", "training", *tiny.train("1", *rate, *TWO_RANKS)]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("goes on from") == 1, "one rank speaks"
    assert losses(tiny) == pytest.approx(whole, rel=1e-3) and list(whole) == [4, 8, 12, 16]
    ended = load_file(tiny.runs / "1" / "raw.safetensors")
    assert all(np.allclose(ended[name], weights[name], atol=1e-5) for name in weights)


def test_other_batches_a_step_are_refused(tmp_path, capsys):
    tiny = TinyRecipe(tmp_path)
    tiny.pack()
    assert main(tiny.train("1")) == 0
    assert main(tiny.train("1", *ACCUMULATED)) == 1
    assert "trainer.batches_per_step: 1 -> 2" in capsys.readouterr().err


@pytest.mark.slow
def test_a_chain_of_stages_runs_on_two_ranks(tmp_path):
    """Each stage is handed over by one rank and taken over by both."""
    tiny = TinyRecipe(tmp_path, samples_per_stage=8)
    tiny.pack()
    command = [sys.executable, "-m", "training", *tiny.train("all", *TWO_RANKS)]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stdout
    assert all(Run(tiny.runs / stage).is_finished for stage in "12")
