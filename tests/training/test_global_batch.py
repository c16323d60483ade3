"""A fixed number of samples a step: however it is cut and shared out, the stage learns from the same ones, equally."""

import subprocess
import sys

import numpy as np
import pytest
from clipset import clip_of, put_set
from footage import noise_scene
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_latents import DEMO
from test_stream import Numbered
from tiny_recipe import TinyRecipe

from shards.reader import ShardSet
from shards.store import write_json
from training.__main__ import main
from training.global_batch import accumulated_batches
from training.module import StageModule
from training.stream import Positions, Stream

# The demo's autoencoder and size: in tinier networks normalisation over a few numbers makes rounding large.
OPTIONS = (*DEMO, "--data.buckets=[{num_frames: 1, height: 64, width: 96}]")
STEPS_OF_4 = ("--data.global_batch", "4", "--model.optimizer.learning_rate", "1e-4", *OPTIONS)


@pytest.mark.parametrize(
    ("numbers", "wanted"),
    [
        ((1536, 384, 4), 1),
        ((1536, 8, 40), 5 + 1),  # 192 a rank: five batches would not be equal
        ((768, 8, 7), 16),
        ((4, 1, 1), 4),
        ((6, 2, 100), 1),
        ((3, 1, 2), 3),
    ],
)
def test_the_fewest_equal_batches_that_fit_are_accumulated(numbers, wanted):
    assert accumulated_batches(*numbers) == wanted


@pytest.mark.parametrize(
    ("numbers", "told"),
    [((10, 4, 8), "4 ranks; 8 and 12 can"), ((13, 1, 12), "1 rank; 12 and 14 can"), ((3, 4, 8), "4 ranks; 4 can")],
)
def test_what_cannot_be_divided_is_refused_with_what_can(numbers, told):
    with pytest.raises(ValueError, match=rf"data.global_batch {numbers[0]} cannot .*{told}"):
        accumulated_batches(*numbers)


@pytest.mark.parametrize(("ranks", "accumulated"), [(1, 1), (1, 6), (2, 3), (3, 2)])
def test_ranks_and_parts_share_the_samples_of_each_step(ranks, accumulated):
    whole, parts = (Stream([Numbered("a", 20, num_buckets=2)], [6, 6], seed=1) for _ in range(2))
    parts.parts = ranks * accumulated
    shares = [list(Positions(3 * parts.parts, 5 * accumulated, rank, ranks)) for rank in range(ranks)]
    for step in range(5):
        mine = [share[step * accumulated : (step + 1) * accumulated] for share in shares]
        batches = [parts[position] for share in mine for position in share]
        assert {len(batch) for batch in batches} == {6 // parts.parts}
        seen = [pair for batch in batches for pair in zip(batch.keys, batch.seeds.tolist(), strict=True)]
        wanted = whole[3 + step]
        assert sorted(seen) == sorted(zip(wanted.keys, wanted.seeds.tolist(), strict=True))
    assert [parts.samples_before(k) for k in range(13)] == [k * 6 // parts.parts for k in range(13)]
    assert parts.mean_batch * parts.parts == whole.mean_batch == 6


@pytest.fixture
def tiny(tmp_path):
    recipe = TinyRecipe(tmp_path)
    for split, numbers in (("train", range(6)), ("val", range(6, 8))):
        clips = [clip_of(number, np.stack(noise_scene(number, 4, 4.0, (96, 64)))) for number in numbers]
        put_set(recipe.shards / "pretrain" / split, clips)
    write_json(recipe.shards / "pretrain" / "manifest.json", {})
    recipe.keys = ShardSet(recipe.shards / "pretrain" / "train").keys
    return recipe


def curves(tiny):
    found = EventAccumulator(str(tiny.runs / "1" / "tensorboard")).Reload()
    return {name: {e.step: e.value for e in found.Scalars(name)} for name in ("loss", "gradient_norm")}


def assert_same(tiny, whole):
    """Losses, gradients (whose scale Adam would hide) and weights."""
    other, (wanted, weights) = curves(tiny), whole
    for name, values in wanted.items():
        assert list(values) == [4, 8, 12, 16] and other[name] == pytest.approx(values, rel=1e-5)
    ended = load_file(tiny.runs / "1" / "raw.safetensors")
    gaps = np.concatenate([np.abs(ended[name] - weights[name]).ravel() for name in weights])
    assert (gaps < 1e-5).mean() > 0.99  # of some the gradient is 0 but for rounding, whose sign Adam follows


@pytest.fixture
def whole(tiny):
    """Curves and weights of a run that takes each step at once."""
    assert main(tiny.train("1", *STEPS_OF_4, "--data.batch_size", "4")) == 0
    return curves(tiny), load_file(tiny.runs / "1" / "raw.safetensors")


def test_accumulation_follows_from_the_budget_and_changes_nothing(tiny, whole, tmp_path, capsys):
    tiny.runs = tmp_path / "cut"
    budget = ("--data.batch_size", "null", "--data.tokens_per_batch", "191")  # a picture has 96
    assert main([*tiny.train("1", *STEPS_OF_4, *budget)]) == 0
    assert_same(tiny, whole)
    plan = ["plan", "--recipe", str(tiny.recipe), "--stage", "1", *STEPS_OF_4, *budget]
    assert main(plan) == 0 and main([*plan, "--data.shards", "nowhere"]) == 0
    said = capsys.readouterr().out
    assert said.count("steps of 4 samples: 1 x 4 batches of 1") == 2 and "at most 1 at once" in said
    assert "4 steps of 4 batches see 16 samples" in said


@pytest.mark.parametrize(("before", "after"), [("4", "1"), ("1", "4"), ("2", "1")])
def test_a_run_goes_on_with_another_accumulation_at_the_very_sample(
    tiny, whole, tmp_path, monkeypatch, break_at, before, after
):
    seen, learn = [], StageModule.training_step

    def noted(self, batch, index):
        seen.append((self.trainer.global_step, batch.keys))
        return learn(self, batch, index)

    monkeypatch.setattr(StageModule, "training_step", noted)
    tiny.runs = tmp_path / "broken"
    break_at(12)  # three steps: no multiple of the accumulated batches after it
    assert main(tiny.train("1", *STEPS_OF_4, "--data.batch_size", before)) == 1
    assert main(tiny.train("1", *STEPS_OF_4, "--data.batch_size", after)) == 0
    assert_same(tiny, whole)
    whole_steps = Stream([Numbered("a", 6)], [4], 0)
    steps = [[key for step, keys in seen if step == number for key in keys] for number in range(4)]
    wanted = [[tiny.keys[int(key[1:])] for key in whole_steps[number].keys] for number in range(4)]
    assert steps == wanted


def test_what_cuts_a_step_may_change_and_what_fixes_it_may_not(tiny, whole, capsys):
    assert main(tiny.train("1", *STEPS_OF_4, "--data.batch_size", "1")) == 0  # finished, and by the same settings
    capsys.readouterr()
    assert main(tiny.train("1", *STEPS_OF_4, "--data.global_batch", "2")) == 1
    assert "data.global_batch: 4 -> 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--data.global_batch", "8"), "has 6 samples of bucket 1x64x96, and data.global_batch wants 8"),
        (("--data.global_batch", "0"), "data.global_batch is a number of samples above 0"),
        (("--data.global_batch", "4", "--trainer.accumulate_grad_batches", "2"), "leave it at 1"),
        (("--data.global_batch", "5", "--data.batch_size", "4"), "4 and 6 can"),
    ],
)
def test_a_step_that_cannot_be(tiny, capsys, options, told):
    assert main(tiny.train("1", *OPTIONS, *options)) == 1
    assert told in capsys.readouterr().err and not (tiny.runs / "1").exists()


@pytest.mark.slow
def test_two_ranks_take_over_from_one(tiny, whole, tmp_path, break_at):
    tiny.runs = tmp_path / "ranks"
    break_at(12)
    assert main(tiny.train("1", *STEPS_OF_4, "--data.batch_size", "4")) == 1
    two = [sys.executable, "-m", "training", *tiny.train("1", *STEPS_OF_4, "--trainer.devices", "2")]
    subprocess.run(two, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
    assert_same(tiny, whole)
