"""A stage killed with -9 at random moments and started again ends with the bytes of an unbroken run."""

import csv
import random
import signal
import subprocess
import sys
import time

import pytest
import torch
from test_numbers import TIMED
from tiny_recipe import TinyRecipe

from training.run import Run

NUM_KILLS = 3


def begin(tiny, workers, *arguments):
    accumulated = ("--data.batch_size", "1", "--trainer.accumulate_grad_batches", "2")
    options = ("--data.workers", str(workers), "--init_from", "null", *accumulated, *arguments)
    command = [sys.executable, "-m", "training", *tiny.train("2", *options)]
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # where tests run behind a shell
    )


def kill_amid(process, run, chance):
    """Kills the run some time after its next checkpoint; says whether it was still running."""
    before = run.checkpoint.stat().st_mtime_ns if run.checkpoint.exists() else None
    while process.poll() is None:
        if run.checkpoint.exists() and run.checkpoint.stat().st_mtime_ns != before:
            time.sleep(chance.uniform(0, 1.0))
            break
        time.sleep(0.01)
    was_running = process.poll() is None
    if was_running:
        process.send_signal(signal.SIGKILL)  # its workers live on for some seconds
    process.wait()
    assert was_running or process.returncode == 0
    return was_running


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    tiny = TinyRecipe(tmp_path_factory.mktemp("kill"), samples_per_stage=80)
    tiny.pack()
    return tiny


@pytest.fixture(scope="module")
def whole(tiny):
    """Weights and numbers of a stage that nothing broke; neither workers nor checkpoints change them."""
    assert begin(tiny, 0).wait() == 0
    return ended(Run(tiny.runs / "2"))


def ended(run):
    weights = {kind: (run.folder / f"{kind}.safetensors").read_bytes() for kind in ("raw", "ema")}
    with (run.folder / "log.csv").open() as file:
        rows = [{name: row[name] for name in row.keys() - {*TIMED}} for row in csv.DictReader(file)]
    return weights, (run.record or {})["held_out_loss"], rows


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_stage_ends_with_the_same_bytes(tiny, whole, tmp_path, workers):
    tiny.runs, chance = tmp_path / "killed", random.Random(workers)
    run = Run(tiny.runs / "2")
    kills = sum(kill_amid(begin(tiny, workers), run, chance) for _ in range(NUM_KILLS))
    process = begin(tiny, workers)
    assert process.wait() == 0
    assert kills >= 2, "the stage is too short to be killed: raise samples_per_stage"
    assert ended(run) == whole
    assert not list(run.folder.glob(".*")), "what a killed run left unfinished is removed"


@pytest.mark.slow
@pytest.mark.parametrize(("told", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_stage_that_is_told_to_end_saves_and_goes_on_from_there(tiny, whole, tmp_path, told, status):
    rarely, tiny.runs = ("--watch.checkpoint_every", "40"), tmp_path / "told"
    process, run = begin(tiny, 0, *rarely), Run(tiny.runs / "2")
    while not run.checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.15)  # else the signal may come before the step that wrote it is over, and nothing is left to save
    process.send_signal(told)
    assert process.wait() == status and not run.is_finished
    assert 20 < torch.load(run.checkpoint)["global_step"] < 40, "it was told after step 20, and saved"
    assert begin(tiny, 0, *rarely).wait() == 0
    assert ended(run) == whole
