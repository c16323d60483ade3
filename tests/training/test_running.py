"""How a stage runs: precision, compiling, checkpointing of activations, several averages and checkpoints."""

import os
from shutil import which

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tiny_recipe import TinyRecipe

from training.__main__ import main
from training.run import Run

CAREFUL = ("--model.optimizer.learning_rate", "1e-5")  # gray frames make gradients that rounding changes much


@pytest.fixture
def tiny(tmp_path):
    recipe = TinyRecipe(tmp_path)
    recipe.pack()
    return recipe


def weights(tiny, kind="raw"):
    return load_file(tiny.runs / "1" / f"{kind}.safetensors")


def bits(tiny, kind="raw"):
    return (tiny.runs / "1" / f"{kind}.safetensors").read_bytes()


@pytest.mark.slow
def test_bf16_stays_near_float32_with_a_float32_average_and_resumes_exactly(tiny, tmp_path, break_at):
    assert main(tiny.train("1", *CAREFUL)) == 0
    wide, tiny.runs = weights(tiny), tmp_path / "bf16"
    half = (*CAREFUL, "--trainer.precision", "bf16-mixed")
    assert main(tiny.train("1", *half)) == 0
    narrow, whole = weights(tiny), {kind: bits(tiny, kind) for kind in ("raw", "ema")}
    assert all(np.abs(narrow[name] - wide[name]).max() <= 2 * 8 * 1e-5 for name in wide), "8 steps of Adam each way"
    assert any(not np.array_equal(narrow[name], wide[name]) for name in wide)
    assert {value.dtype for value in weights(tiny, "ema").values()} == {np.dtype("float32")}
    tiny.runs = tmp_path / "broken"
    break_at(8)
    assert [main(tiny.train("1", *half)) for _ in range(2)] == [1, 0]
    assert {kind: bits(tiny, kind) for kind in ("raw", "ema")} == whole


def test_precision_that_is_not_there_is_refused(tiny, capsys):
    assert main(tiny.train("1", "--trainer.precision", "16-mixed")) == 1
    assert "float16 needs a GPU" in capsys.readouterr().err
    assert main(tiny.train("1", "--trainer.precision", "bf16-true")) == 1
    assert "bf16-true is not supported" in capsys.readouterr().err
    assert not tiny.runs.exists() or not (tiny.runs / "1").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "backend"),
    [
        ("svd", "eager"),  # Inductor would compile this U-Net for minutes
        pytest.param("cogvideox", "true", marks=pytest.mark.skipif(not which("g++"), reason="Inductor needs g++")),
    ],
)
def test_a_compiled_denoiser_trains_to_the_same_and_keeps_its_names(tmp_path, family, backend):
    tiny = TinyRecipe(tmp_path, family)
    tiny.pack()
    assert main(tiny.train("1", *CAREFUL)) == 0
    plain, tiny.runs = {kind: weights(tiny, kind) for kind in ("raw", "ema")}, tmp_path / "compiled"
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    assert main(tiny.train("1", *CAREFUL, "--model.compile", backend)) == 0
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    for kind, values in plain.items():
        compiled = weights(tiny, kind)
        assert compiled.keys() == values.keys()
        for name, value in values.items():
            # at one frame, rotary positions leave these as they are: they shift all keys alike, which changes no
            # attention, so their gradient is rounding alone
            told = slice(4, None) if name.endswith("norm_k.bias") else ...
            assert np.allclose(compiled[name][told], value[told], atol=1e-6), name


def test_a_backend_that_is_not_there_is_refused(tiny, capsys):
    assert main(tiny.train("1", "--model.compile", "speedy")) == 1
    assert "no backend 'speedy'; there are: " in capsys.readouterr().err


def test_further_averages_are_written_sampled_and_put_together(tiny, capsys):
    lengths = ("--model.ema_decay", "[0.9, 0.5]", "--model.ema_sigma_rel", "[0.05, 0.1]")
    assert main(tiny.train("1", *CAREFUL)) == 0
    alone = bits(tiny, "ema")
    assert main(tiny.train("1", "--force", *CAREFUL, *lengths, "--watch.ema_snapshots_every", "4")) == 0
    assert bits(tiny, "ema") == alone, "the first one, whatever there is beside it"
    assert len(list(Run(tiny.runs / "1").snapshots.iterdir())) == 2 * 4
    kinds = {path.name for path in (tiny.runs / "1").glob("ema*")}
    assert kinds == {"ema.safetensors", *(f"ema-{length}.safetensors" for length in ("0.5", "0.05", "0.1"))}
    assert main(tiny.sample("a cat", "--ema", "0.5")) == 0
    assert (tiny.runs / "1" / "samples" / "a-cat-0-ema-0.5.mp4").exists()
    assert main(tiny.sample("a cat", "--ema", "0.15")) == 1
    assert "--stage 1 --sigma-rel 0.15" in capsys.readouterr().err
    make = ["ema", "--recipe", str(tiny.recipe), "--runs", str(tiny.runs), "--stage", "1", "--sigma-rel"]
    assert main([*make, "0.15"]) == 0 and main(tiny.sample("a cat", "--ema", "0.15")) == 0
    assert main([*make, "0.15"]) == 1 and main([*make, "0.4"]) == 1


def test_as_many_checkpoints_stay_as_were_asked_for_and_a_damaged_one_is_passed_over(tiny, tmp_path, break_at, capsys):
    assert main(tiny.train("1")) == 0
    whole, tiny.runs = bits(tiny), tmp_path / "broken"
    run = Run(tiny.runs / "1")

    def damage():
        with run.checkpoint.open("r+b") as file:  # a flipped bit amid it: the file still opens
            file.seek(os.path.getsize(run.checkpoint) // 2)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))

    break_at(10, also=damage)
    three = ("--watch.keep_checkpoints", "3")
    assert main(tiny.train("1", *three)) == 1
    assert [path.name for path in run.checkpoints] == ["last.ckpt", "last-1.ckpt", "last-2.ckpt"]
    assert [torch.load(path)["global_step"] for path in run.checkpoints[1:]] == [4, 3]
    assert main(tiny.train("1", *three)) == 0
    told = capsys.readouterr().out
    assert "last.ckpt is damaged and passed over" in told and "goes on from" in told and "last-1.ckpt" in told
    assert bits(tiny) == whole and run.checkpoints == []


def test_a_full_disk_keeps_the_checkpoint_of_before(tiny, monkeypatch, capsys):
    save, saved = torch.save, []

    def full(checkpoint, path):
        saved.append(path)
        save(checkpoint, path)
        if len(saved) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.callbacks.checkpoints.torch.save", full)
    run = Run(tiny.runs / "1")
    assert main(tiny.train("1", "--watch.keep_checkpoints", "2")) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert [torch.load(path)["global_step"] for path in run.checkpoints] == [2, 1]
    assert main(tiny.train("1", "--watch.keep_checkpoints", "2")) == 0


def test_a_full_disk_at_the_very_end_costs_no_step(tiny, monkeypatch, capsys):
    assert main(tiny.train("1")) == 0
    whole, tiny.runs = bits(tiny), tiny.runs / "full"

    def full(*_, **__):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as disk:
        disk.setattr("training.weights_file.save_file", full)
        assert main(tiny.train("1")) == 1
    told = capsys.readouterr().err
    assert "raw.safetensors cannot be written" in told and "No space left" in told
    monkeypatch.setattr("training.module.StageModule.training_step", lambda *_: pytest.fail("a step again"))
    assert main(tiny.train("1")) == 0
    assert bits(tiny) == whole


def test_a_checkpoint_of_more_ranks_counts_its_batches_otherwise(tiny, tmp_path, break_at):
    """Two ranks take a batch each a step where one takes two; going on with one must not begin amid a step."""
    accumulated = ("--trainer.accumulate_grad_batches", "2")
    assert main(tiny.train("1", *accumulated)) == 0
    whole, tiny.runs = bits(tiny), tmp_path / "broken"
    break_at(4)
    assert main(tiny.train("1", *accumulated)) == 1
    checkpoint = torch.load(Run(tiny.runs / "1").checkpoint)
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    assert progress["total"]["ready"] == 2
    for counts in (progress["total"], progress["current"]):
        counts.update(dict.fromkeys(counts, 1))
    torch.save(checkpoint, Run(tiny.runs / "1").checkpoint)
    assert main(tiny.train("1", *accumulated)) == 0
    assert bits(tiny) == whole
