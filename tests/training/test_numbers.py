"""What a stage tells of itself on its way, and that a run that was broken tells the same."""

import csv

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_recipe import FAMILIES, TinyRecipe

from training.__main__ import main
from training.callbacks.checkpoints import Checkpoints
from training.callbacks.csv_log import CsvLog
from training.callbacks.loggers import loggers_of
from training.module import StageModule
from training.peak_flops import PEAK_TFLOPS, peak_flops

TIMED = ("samples_a_second", "tokens_a_second", "data_wait_share", "memory_gib", "flop_utilisation")
TWO_BUCKETS = "[{num_frames: 4, height: 16, width: 24}, {num_frames: 1, height: 16, width: 24}]"


@pytest.fixture
def tiny(tmp_path):
    recipe = TinyRecipe(tmp_path)
    recipe.pack()
    return recipe


def rows(tiny, stage="1"):
    with (tiny.runs / stage / "log.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("family", FAMILIES)
def test_all_numbers_are_told_of_every_family(tmp_path, family):
    tiny = TinyRecipe(tmp_path, family)
    tiny.pack()
    assert main(tiny.train("1", "--data.buckets", TWO_BUCKETS, "--watch.peak_tflops", "0.1")) == 0
    told = rows(tiny)
    assert [row["samples"] for row in told] == ["0", "5", "9", "12", "15"]
    last = {name: float(value) for name, value in told[-1].items() if value}
    assert {"loss", "held_out_loss", "gradient_norm", "learning_rate", *TIMED} <= set(last)
    assert last["tokens_a_second"] > last["samples_a_second"] > 0
    assert 0 <= last["data_wait_share"] < 1 and 0 < last["flop_utilisation"] < 1 and last["memory_gib"] > 0.1
    kinds = {name.split("/")[0] for name in told[-1] if "/" in name}
    assert kinds == {"loss_by_level", "loss_by_medium", "loss_by_bucket"}
    events = EventAccumulator(str(tiny.runs / "1" / "tensorboard")).Reload()
    assert set(events.Tags()["scalars"]) == set(told[-1]) - {"samples"}


def test_losses_are_means_of_what_the_steps_gave(tiny, monkeypatch):
    given, step = [], StageModule.training_step

    def noted(module, batch, index):
        given.append(out := step(module, batch, index))
        return out

    monkeypatch.setattr(StageModule, "training_step", noted)
    assert main(tiny.train("1")) == 0
    means = [float(torch.cat([out["losses"] for out in given[at : at + 2]]).mean()) for at in range(0, 8, 2)]
    assert [float(row["loss"]) for row in rows(tiny)[1:]] == pytest.approx(means, rel=1e-6)


def test_a_broken_run_logs_what_the_unbroken_one_does(tiny, tmp_path, monkeypatch):
    options = ("--trainer.accumulate_grad_batches", "2", "--watch.numbers_every", "6")
    assert main(tiny.train("1", *options)) == 0
    whole, tiny.runs = rows(tiny), tmp_path / "broken"
    save = Checkpoints.on_train_batch_end

    def break_before_saving(self, trainer, module, *rest):
        if module.samples_seen in breaks:
            breaks.remove(module.samples_seen)
            raise RuntimeError("the power went out")
        save(self, trainer, module, *rest)

    breaks = [8, 16]
    monkeypatch.setattr(Checkpoints, "on_train_batch_end", break_before_saving)
    every = ("--watch.checkpoint_every", "4")  # between the looks
    assert [main(tiny.train("1", *options, *every)) for _ in range(3)] == [1, 1, 0]
    broken = rows(tiny)
    for row in (*whole, *broken):
        for name in TIMED:
            row.pop(name, None)
    assert broken == whole


def test_numbers_do_not_change_the_weights(tiny, tmp_path):
    assert main(tiny.train("1")) == 0
    weights, tiny.runs = (tiny.runs / "1" / "raw.safetensors").read_bytes(), tmp_path / "other"
    assert main(tiny.train("1", "--watch.numbers_every", "0", "--watch.peak_tflops", "1")) == 0
    assert (tiny.runs / "1" / "raw.safetensors").read_bytes() == weights


def test_an_absent_wandb_is_told_before_anything_is_written(tiny, monkeypatch, capsys):
    monkeypatch.setattr("training.callbacks.loggers.find_spec", lambda name: None)
    assert main(tiny.train("1", "--watch.wandb", "films")) == 1
    assert "watch.wandb is 'films', but the package wandb is not installed" in capsys.readouterr().err
    assert not (tiny.runs / "1").exists()
    assert len(loggers_of(tiny.runs / "1", None)) == 2


def test_numbers_go_to_wandb_where_it_is_there(tiny, monkeypatch):
    """The package stands in for itself: what Lightning's logger would send is noted."""
    sent: list[dict] = []

    class Noted(CsvLog):
        def __init__(self, project, name, group, save_dir):
            super().__init__(save_dir / "wandb.csv")
            assert (project, name, group) == ("films", "1", "runs-1")

        def log_metrics(self, metrics, step=None):
            sent.append({"step": step, **metrics})

    monkeypatch.setattr("training.callbacks.loggers.find_spec", lambda name: object())
    monkeypatch.setattr("training.callbacks.loggers.WandbLogger", Noted)
    assert main(tiny.train("1", "--watch.wandb", "films")) == 0
    losses = [row["loss"] for row in sent if "loss" in row]
    assert losses == pytest.approx([float(row["loss"]) for row in rows(tiny)[1:]])


def test_peaks_go_by_the_name_and_the_precision():
    assert peak_flops("NVIDIA H200", "bf16-mixed") == 989e12 == peak_flops("NVIDIA H100 80GB HBM3", "16-mixed")
    assert peak_flops("NVIDIA A100-SXM4-80GB", "32-true") == 19.5e12
    assert peak_flops("NVIDIA L40S", "bf16-mixed") == 362e12 and peak_flops("NVIDIA L4", "bf16-mixed") == 121e12
    assert peak_flops("NVIDIA A10G", "bf16-mixed") == 70e12 and peak_flops("Tesla T4", "16-mixed") == 65e12
    assert peak_flops("Tesla V100-PCIE-16GB", "16-mixed") == 112e12
    assert peak_flops("some other device", "bf16-mixed") is None
    names = list(PEAK_TFLOPS)
    shadowed = [name for at, name in enumerate(names) if any(before in name for before in names[:at])]
    assert shadowed == []
