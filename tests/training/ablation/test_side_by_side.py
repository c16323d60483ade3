"""Trials beside each other: what fails is told by its folder and stops no other, and so is a process that dies."""

import os

import pytest

from training.ablation.arms import Arm
from training.ablation.side_by_side import run_all
from training.ablation.trial import Trial

RUN = "training.ablation.side_by_side.run_trial"


def trials(root, *names):
    return [Trial(Arm(name, root / name), 0, root / f"{name}-0", (), ()) for name in names]


def test_each_is_told_when_it_is_done_and_one_that_fails_stops_no_other(tmp_path, monkeypatch):
    happened = []

    def run(trial):
        happened.append(f"{trial.arm.name} runs")
        return "no memory" if trial.arm.name == "full" else ""

    monkeypatch.setattr(RUN, run)
    assert run_all(trials(tmp_path, "raw", "full", "blur"), "local", happened.append) == {"full-0": "no memory"}
    assert happened == [
        "raw runs",
        "✓ raw-0 (1 of 3)",
        "full runs",
        "✗ full-0 (2 of 3): no memory",
        "blur runs",
        "✓ blur-0 (3 of 3)",
    ]


def test_without_failures_there_are_none(tmp_path, monkeypatch):
    monkeypatch.setattr(RUN, lambda trial: "")
    assert run_all(trials(tmp_path, "raw"), "local", lambda line: None) == run_all([], "local", print) == {}


@pytest.mark.slow
def test_a_process_that_dies_on_ray_is_told_and_stops_no_other(tmp_path, monkeypatch):
    def run(trial):
        if trial.arm.name == "full":
            os._exit(3)
        trial.folder.mkdir()
        return "too short" if trial.arm.name == "blur" else ""

    monkeypatch.setattr(RUN, run)
    said = []
    failed = run_all(trials(tmp_path, "raw", "full", "blur"), "ray", said.append)
    assert set(failed) == {"full-0", "blur-0"} and failed["blur-0"] == "too short"
    assert failed["full-0"].startswith("its process died: ") and "\n" not in failed["full-0"]
    assert (tmp_path / "raw-0").is_dir() and len(said) == 3 and sum("✓" in line for line in said) == 1
