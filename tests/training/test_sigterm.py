"""A SIGTERM at a moment that is chosen: amid a step of accumulated batches."""

import os
import signal

import pytest
import torch
from tiny_recipe import TinyRecipe

from training.__main__ import main
from training.module import StageModule
from training.run import Run

ACCUMULATED = ("--data.batch_size", "1", "--trainer.accumulate_grad_batches", "4")
RARELY = ("--watch.checkpoint_every", "0")  # so that what is saved was saved for the signal


@pytest.fixture(autouse=True)
def nobody_else_listens():
    """Lightning calls what listened before it too, and Ray of an earlier test in this process would end it."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@pytest.mark.parametrize("batch", [8, 9, 11])  # first, second and last of the third step
def test_the_step_is_ended_and_saved(tmp_path, monkeypatch, batch):
    tiny = TinyRecipe(tmp_path)
    tiny.pack()
    assert main(tiny.train("1", *ACCUMULATED, *RARELY)) == 0
    whole = (tiny.runs / "1" / "raw.safetensors").read_bytes()
    tiny.runs, run = tmp_path / "told", Run(tmp_path / "told" / "1")
    step, seen = StageModule.training_step, []

    def told(self, *arguments):
        seen.append(None)
        if len(seen) == batch + 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *arguments)

    monkeypatch.setattr(StageModule, "training_step", told)
    assert main(tiny.train("1", *ACCUMULATED, *RARELY)) == 0
    assert not run.is_finished and len(seen) == 12
    assert torch.load(run.checkpoint)["global_step"] == 3
    assert main(tiny.train("1", *ACCUMULATED, *RARELY)) == 0
    assert (run.folder / "raw.safetensors").read_bytes() == whole
