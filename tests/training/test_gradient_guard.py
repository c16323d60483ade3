"""Steps with gradients that are not finite, or spikes, change nothing, are listed, and stop the stage when many."""

import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from tiny_recipe import TinyRecipe

from training.__main__ import main
from training.callbacks.checkpoints import Checkpoints
from training.callbacks.guard import GradientGuard
from training.callbacks.watch import Watch
from training.module import StageModule
from training.run import Run


@pytest.fixture
def tiny(tmp_path):
    recipe = TinyRecipe(tmp_path)
    recipe.pack()
    return recipe


def spoil(monkeypatch, steps, factor):
    """Multiplies the loss of these steps."""
    training_step = StageModule.training_step

    def spoilt(module, batch, index):
        step = training_step(module, batch, index)
        return step | {"loss": step["loss"] * (factor if module.trainer.global_step in steps else 1)}

    monkeypatch.setattr(StageModule, "training_step", spoilt)


def parts(module):
    """Weights, average and moments of the optimizer."""
    moments = module.trainer.optimizers[0].state_dict()["state"]
    averages = [each["average"] for each in module.ema.state_dict().values()]
    assert averages and moments
    held = [module.denoiser.state_dict(), *averages, *moments.values()]
    return [tensor.clone() for each in held for tensor in each.values() if torch.is_tensor(tensor)]


def test_a_step_that_is_not_finite_changes_nothing_and_is_listed(tiny, monkeypatch, capsys):
    spoil(monkeypatch, {3}, float("nan"))
    seen, on_train_batch_end = {}, Checkpoints.on_train_batch_end

    def look(self, trainer, module, *rest):
        seen[trainer.global_step] = parts(module)
        on_train_batch_end(self, trainer, module, *rest)

    monkeypatch.setattr(Checkpoints, "on_train_batch_end", look)
    assert main(tiny.train("1")) == 0
    same = {step: all(map(torch.equal, seen[step], seen[step - 1])) for step in range(2, 9)}
    assert same == {step: step == 4 for step in range(2, 9)}
    (skipped,) = json.loads((tiny.runs / "1" / "skipped_steps.json").read_text())
    assert (skipped["step"], skipped["samples"], skipped["gradient_norm"]) == (3, 6, "nan") and len(
        skipped["keys"]
    ) == 2
    assert "step 3 left out: a gradient that is not finite" in capsys.readouterr().out
    assert (Run(tiny.runs / "1").record or {})["num_skipped_steps"] == 1
    ended = load_file(tiny.runs / "1" / "ema.safetensors")
    assert all(tensor.isfinite().all() for tensor in ended.values())


def test_a_run_with_a_step_left_out_resumes_to_the_same_weights(tiny, tmp_path, monkeypatch, break_at):
    spoil(monkeypatch, {3}, float("inf"))
    assert main(tiny.train("1")) == 0
    whole, tiny.runs = (tiny.runs / "1" / "raw.safetensors").read_bytes(), tmp_path / "broken"
    break_at(10)
    assert main(tiny.train("1")) == 1
    assert main(tiny.train("1")) == 0
    assert (tiny.runs / "1" / "raw.safetensors").read_bytes() == whole
    assert len(json.loads((tiny.runs / "1" / "skipped_steps.json").read_text())) == 1


def test_too_many_steps_left_out_stop_the_stage(tiny, monkeypatch, capsys):
    spoil(monkeypatch, range(2, 8), float("nan"))
    assert main(tiny.train("1", "--watch.max_skipped_steps", "2")) == 1
    assert "3 steps had to be left out, and at most 2 may be (watch.max_skipped_steps" in capsys.readouterr().err
    assert not (tiny.runs / "1" / "raw.safetensors").exists()


def test_a_spike_is_left_out_once_it_is_known_what_is_usual(tiny, monkeypatch):
    monkeypatch.setattr("training.callbacks.guard.SETTLED", 4)
    spoil(monkeypatch, {1, 6}, 1e4)
    assert main(tiny.train("1", "--watch.max_gradient_ratio", "50")) == 0
    (skipped,) = json.loads((tiny.runs / "1" / "skipped_steps.json").read_text())
    assert skipped["step"] == 6


@pytest.mark.parametrize(
    "wrong",
    [{"max_skipped_steps": -1}, {"max_gradient_ratio": 0.5}, {"max_gradient_ratio": -2.0}, {"max_skipped_share": 1.0}],
)
def test_wrong_limits_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Watch(**wrong)


@pytest.mark.parametrize(("scale", "is_listed"), [(None, True), (65536.0, False), (1.0, True)])
def test_an_overflow_of_float16_is_left_to_the_scaler_while_it_can_go_lower(tmp_path, scale, is_listed):
    weight = torch.nn.Parameter(torch.ones(1))
    weight.grad = torch.full((1,), float("inf"))
    module = SimpleNamespace(denoiser=SimpleNamespace(parameters=lambda: [weight]), skips_step=False, samples_seen=0)
    scaler = scale and SimpleNamespace(get_scale=lambda: scale)
    trainer = SimpleNamespace(precision_plugin=SimpleNamespace(scaler=scaler), global_step=0, is_global_zero=True)
    guard = GradientGuard(tmp_path / "skipped.json", SimpleNamespace(say=print), most=1)  # pyright: ignore
    guard.on_before_optimizer_step(trainer, module, torch.optim.SGD([weight]))  # pyright: ignore
    assert module.skips_step and weight.grad is None and len(guard.skipped) == is_listed
