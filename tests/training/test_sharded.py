"""Weights in shards on two ranks: the same losses and weights as on one rank, and checkpoints that go either way."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_recipe import TinyRecipe

from training.__main__ import main
from training.config import build_stage
from training.recipe import Recipe
from training.run import Run

FSDP = ("--trainer.strategy", "fsdp2", "--trainer.devices", "2")
ONE = ("--trainer.accumulate_grad_batches", "2")
# Gray frames make gradients that rounding changes much, so the rate is low; one held-out sample leaves a rank without.
SMALL = ("--model.optimizer.learning_rate", "1e-5", "--data.num_held_out", "1", "--model.ema_sigma_rel", "[0.1]")
ENDED = ("raw", "ema", "ema-0.1")


def run(tiny, stage, *arguments):
    command = [sys.executable, "-m", "training", *tiny.train(stage, *SMALL, *arguments)]
    told = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=1500
    )
    return told.returncode, told.stdout


def losses(tiny, stage):
    found = EventAccumulator(str(tiny.runs / stage / "tensorboard")).Reload()
    return {(name, e.step): e.value for name in ("loss", "held_out_loss", "gradient_norm") for e in found.Scalars(name)}


def ended(tiny, stage):
    return {kind: load_file(tiny.runs / stage / f"{kind}.safetensors") for kind in ENDED}


def norm(parts):
    return sum(float(np.square(part).sum()) for part in parts) ** 0.5


def assert_same_training(tiny, stage, whole, weights):
    """Losses of every step, and weights: what is between them is a thousandth of the way that they came."""
    now = losses(tiny, stage)
    assert now.keys() == whole.keys()
    told = [key for key in whole if key[0] != "gradient_norm" or key[1] == 4]
    assert [now[key] for key in told] == pytest.approx([whole[key] for key in told], rel=1e-3)
    fresh = build_stage(Recipe(tiny.recipe).files(stage), []).model.denoiser.state_dict()
    for kind, there in ended(tiny, stage).items():
        here = weights[kind]
        assert there.keys() == here.keys() == fresh.keys()
        moved = norm(here[name] - fresh[name].numpy() for name in here)
        assert norm(there[name] - here[name] for name in here) < 1e-3 * moved


@pytest.mark.slow
@pytest.mark.timeout(1600)
@pytest.mark.parametrize(("family", "stage"), [("svd", "1"), ("cogvideox", "2")])
def test_two_ranks_with_shards_train_as_one_does(tmp_path, family, stage):
    tiny = TinyRecipe(tmp_path, family)
    tiny.pack()
    options = ("--init_from", "null", "--trainer.gradient_clip_val", "0.1")
    assert main(tiny.train(stage, *SMALL, *options, *ONE)) == 0
    whole, weights, tiny.runs = losses(tiny, stage), ended(tiny, stage), tmp_path / "sharded"
    code, told = run(tiny, stage, *options, *FSDP)
    assert code == 0, told
    assert_same_training(tiny, stage, whole, weights)
    if stage == "2":
        names = sorted(path.name for path in (tiny.runs / stage / "videos").iterdir())
        assert names == ["000000016-0-raw.mp4", "000000016-0.mp4"]


def kill_after_first_checkpoint(tiny, stage, *arguments):
    command = [sys.executable, "-m", "training", *tiny.train(stage, *SMALL, *arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True, text=True
    )
    while not Run(tiny.runs / stage).checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)  # all ranks
    process.wait()
    assert Run(tiny.runs / stage).checkpoint.exists(), "killed amid the stage"


@pytest.mark.slow
@pytest.mark.timeout(1600)
@pytest.mark.parametrize(("first", "then"), [(FSDP, ONE), (ONE, FSDP)])
def test_checkpoints_of_shards_go_on_whole_and_the_other_way_round(tmp_path, first, then):
    """Stage 1 freezes the temporal layers, so places in the optimizer and in the model differ."""
    tiny = TinyRecipe(tmp_path)
    tiny.pack()
    assert main(tiny.train("1", *SMALL, *ONE)) == 0
    whole, weights, tiny.runs = losses(tiny, "1"), ended(tiny, "1"), tmp_path / "broken"
    kill_after_first_checkpoint(tiny, "1", *first)
    code, told = run(tiny, "1", *then)
    assert code == 0 and told.count("goes on from") == 1, told
    assert_same_training(tiny, "1", whole, weights)
