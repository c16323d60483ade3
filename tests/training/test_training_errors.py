"""Everything a user can get wrong ends in one clear message, before anything is written."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_recipe import TinyRecipe

from training.__main__ import main
from training.run import Run
from training.sole_user import sole_user


@pytest.fixture
def tiny(tmp_path):
    recipe = TinyRecipe(tmp_path)
    recipe.pack()
    return recipe


def refused(tiny, capsys, arguments, *words):
    """Runs, and checks that it fails with one message of these words and leaves no run behind."""
    capsys.readouterr()
    before = sorted(tiny.runs.rglob("*"))
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "Traceback" not in said
    for word in words:
        assert word in said
    assert [
        path for path in sorted(tiny.runs.rglob("*")) if path not in before and not path.name.endswith(".lock")
    ] == []


def test_no_shards(tmp_path, capsys):
    tiny = TinyRecipe(tmp_path)
    refused(tiny, capsys, tiny.train("1"), "there are no shards in", "make curate")


def test_another_set_than_those_packed(tiny, capsys):
    refused(tiny, capsys, tiny.train("1", "--data.set", "hq"), "no packed set 'hq'", "pretrain")


def test_damaged_shards(tiny, capsys):
    (tiny.shards / "pretrain" / "train" / "00000.tar").unlink()
    refused(tiny, capsys, tiny.train("1"), "00000.tar is missing")


def test_a_field_that_is_conditioned_on_is_missing(tmp_path, capsys):
    tiny = TinyRecipe(tmp_path)
    tiny.pack(scores={"luma_mean": 1.0})
    assert main(tiny.train("1")) == 0  # pictures have no motion
    refused(tiny, capsys, tiny.train("2"), "no score `motion`", "luma_mean")


def test_no_captions(tmp_path, capsys):
    tiny = TinyRecipe(tmp_path)
    tiny.pack(captions=[])
    refused(tiny, capsys, tiny.train("1"), "has no captions", "--model.conditioning.captions none")
    assert main(tiny.train("1", "--model.conditioning.captions", "false")) == 0


def test_the_earlier_stage_is_missing(tiny, capsys):
    refused(tiny, capsys, tiny.train("2"), "stage 2 starts from stage 1, which has not run", "make train STAGE=1")


def test_an_unknown_stage_and_recipe(tiny, capsys):
    refused(tiny, capsys, tiny.train("4"), "has no stage '4'; it has: 1, 2")
    refused(
        tiny,
        capsys,
        ["train", "--recipe", "sdv", "--stage", "1"],
        "no recipe 'sdv'",
        "demo, demo-ablate, demo-long, svd, svd-small",
    )


def test_nothing_to_sample_from(tiny, capsys):
    refused(tiny, capsys, tiny.sample("a cat"), "no stage is finished", "make train STAGE=1")


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("--model.ema_deacy", "0.9", "ema_deacy"),
        ("--data.batch_size", "many", "batch_size"),
        ("--model.optimizer.learning_rate", "-1", "learning_rate"),
        ("--model.trainable", "[^temporl/]", "temporl"),
        ("--data.buckets", "[{num_frames: 1, height: 16, width: 20}]", "multiples of 8"),
        ("--num_samples", "1", "the first step takes 2"),
        ("--data.tokens_per_batch", "12", "the other is null"),
        ("--data.mixture", "{pretrain: 0}", "weights are whole numbers"),
        ("--data.mixture", "{pretrain: 1, ../elsewhere: 1}", "is no packed set"),
    ],
)
def test_a_wrong_value(tiny, capsys, key, value, word):
    refused(tiny, capsys, tiny.train("1", key, value), word)


def test_a_typo_in_yaml_names_the_key(tiny, capsys):
    tiny.write("1", {"data": {"buckett": [{"num_frames": 1}]}})
    refused(tiny, capsys, tiny.train("1"), "buckett")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("evaluation: {every: null}", "evaluation.every"),
        ("data: {seed: null}", "data.seed"),
        ("num_samples: 4\nwatch:", "watch: nothing stands under it"),
    ],
)
def test_null_where_a_value_must_be(tiny, capsys, tmp_path, more, words):
    (tmp_path / "more.yaml").write_text(more)
    refused(tiny, capsys, tiny.train("1", "--config", str(tmp_path / "more.yaml")), words)


def test_broken_yaml_names_the_file(tiny, capsys):
    (tiny.recipe / "1.yaml").write_text("data: {")
    refused(tiny, capsys, tiny.train("1"), "1.yaml")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_where_there_is_none(tiny, capsys):
    refused(tiny, capsys, tiny.train("1", "--trainer.accelerator", "gpu"), "gpu", "--trainer.accelerator cpu")


def test_missing_weights_of_codec_and_text(tiny, capsys, tmp_path):
    refused(tiny, capsys, tiny.train("1", "--model.codec.init_args.path", str(tmp_path / "no")), "autoencoder", "local")
    refused(tiny, capsys, tiny.train("1", "--model.text.init_args.model", "local-dir:no"), "text encoder", "local")


def test_other_settings_than_those_of_the_run(tiny, capsys):
    assert main(tiny.train("1")) == 0
    wrong = tiny.train("1", "--model.optimizer.learning_rate", "0.5")
    refused(tiny, capsys, wrong, "model.optimizer.learning_rate: 0.001 -> 0.5", "FORCE=1")


def test_a_stage_whose_predecessor_was_trained_anew(tiny, capsys):
    assert main(tiny.train("1")) == 0 and main(tiny.train("2")) == 0
    assert main(tiny.train("1", "--force", "--data.seed", "7")) == 0
    refused(tiny, capsys, tiny.train("2"), "init_weights", "FORCE=1")


def test_weights_of_another_architecture(tiny, capsys):
    assert main(tiny.train("1")) == 0
    other = tiny.train("2", "--model.denoiser.init_args.block_out_channels", "[32, 32]")
    refused(tiny, capsys, other, "ema.safetensors does not hold the weights of this denoiser")


def test_force_moves_nothing_when_the_run_could_not_begin(tiny, capsys):
    assert main(tiny.train("1")) == 0
    refused(tiny, capsys, tiny.train("1", "--force", "--data.set", "hq"), "no packed set")
    missing = str(tiny.runs / "no" / "codec" / "here")
    refused(tiny, capsys, tiny.train("1", "--force", "--model.codec.init_args.path", missing), "autoencoder")
    assert json.loads((tiny.runs / "1" / "stage.json").read_text())["finished"]


def test_a_caption_is_safe_as_a_file_name(tiny):
    assert main(tiny.train("1")) == 0
    assert main(tiny.sample("../../a/Cat; rm -rf ~ " + "x" * 300)) == 0
    assert all(len(path.name) < 80 for path in (tiny.runs / "1" / "samples").iterdir())
    assert main(tiny.sample("")) == 0 and (tiny.runs / "1" / "samples" / "no-caption-0.mp4").exists()


def test_a_codec_that_was_trained_anew(tiny, capsys):
    assert main(tiny.train("1")) == 0
    config = tiny.recipe.parent / "vae" / "config.json"
    config.write_text(config.read_text().replace('"scaling_factor": 1.0', '"scaling_factor": 2.0'))
    refused(tiny, capsys, tiny.train("1"), "codec_weights")
    capsys.readouterr()
    assert main(tiny.sample("a cat")) == 1 and "other weights of model.codec" in capsys.readouterr().err
    refused(tiny, capsys, tiny.train("2"), "other weights of model.codec")


def test_sampling_with_a_text_encoder_that_was_trained_anew(tiny, capsys):
    """A next stage may read captions otherwise; samples may not."""
    assert main(tiny.train("1")) == 0
    shutil.copytree("curation/demo/weights/clip", tiny.recipe.parent / "clip")
    path = tiny.recipe.parent / "clip" / "open_clip_model.safetensors"
    weights = load_file(path)
    weights["positional_embedding"] += 1
    save_file(weights, path)
    capsys.readouterr()
    other = f"--model.text.init_args.model=local-dir:{path.parent}"
    assert main(tiny.sample("a cat", other)) == 1 and "other weights of model.text" in capsys.readouterr().err
    assert main(tiny.train("2", other)) == 0


@pytest.mark.parametrize(
    "option", ["max_time 00:00:00:01", "limit_train_batches 2", "max_epochs 1", "fast_dev_run true"]
)
def test_what_would_shorten_a_stage_unseen(tiny, capsys, option):
    key, value = option.split()
    refused(tiny, capsys, tiny.train("1", f"--trainer.{key}", value), f"trainer.{key} cannot be set", "num_samples")


def test_weights_that_are_not_those_written(tiny, capsys):
    assert main(tiny.train("1")) == 0
    weights = tiny.runs / "1" / "ema.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + bytes(4))
    refused(tiny, capsys, tiny.train("2"), "ema.safetensors is not what stage 1 wrote")


def test_a_grandparent_that_was_trained_anew(tiny, capsys):
    tiny.write("3", {"init_from": "2", "data": {"buckets": [{"num_frames": 4, "height": 16, "width": 24}]}})
    assert [main(tiny.train(stage)) for stage in "123"] == [0, 0, 0]
    assert main(tiny.train("1", "--force", "--data.seed", "7")) == 0
    refused(tiny, capsys, tiny.train("3"), "stage 1 was trained anew after stage 2")
    capsys.readouterr()
    assert main(tiny.sample("a cat")) == 1 and "trained anew" in capsys.readouterr().err


@pytest.mark.parametrize(("part", "value"), [("num_micro", "3"), ("cross_attention_dim", "32"), ("in_channels", "5")])
def test_parts_that_do_not_fit_each_other(tiny, capsys, part, value):
    assert main(tiny.train("1")) == 0
    wrong = tiny.train("1", "--force", f"--model.denoiser.init_args.{part}", value)
    refused(tiny, capsys, wrong, "the denoiser does not fit", "model.denoiser")


def test_a_damaged_checkpoint(tiny, capsys, monkeypatch):
    monkeypatch.setattr("training.fit._hand_over", lambda *_: None)
    assert main(tiny.train("1")) == 0
    checkpoint = tiny.runs / "1" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    refused(tiny, capsys, tiny.train("1"), "last.ckpt is damaged: remove it")


def test_a_corpus_in_the_place_of_its_shards(tiny, capsys):
    refused(tiny, capsys, tiny.train("1", "--data.shards", str(tiny.shards.parent)), "is a corpus", "SHARDS=")


def test_no_bucket_of_motion(tmp_path, capsys):
    tiny = TinyRecipe(tmp_path)
    tiny.pack(motion_bucket=None)
    micro = ("--model.conditioning.micro", "[{source: fps}, {source: motion_bucket}]")
    refused(tiny, capsys, tiny.train("2", "--init_from", "null", *micro), "no `motion_bucket`", "pack.motion_column")


def test_two_trainings_in_one_folder(tiny, capsys):
    with sole_user(Run(tiny.runs / "1")):
        refused(tiny, capsys, tiny.train("1"), "another process works on", "wait for it")
    assert main(tiny.train("1")) == 0


@pytest.mark.parametrize(
    "other",
    [("--model.optimizer.learning_rate", "0.01"), ("--model.denoiser.init_args.block_out_channels", "[64, 128]")],
)
def test_a_checkpoint_of_another_run_is_refused_before_anything_is_written(tiny, tmp_path, break_at, capsys, other):
    break_at(8)
    assert main(tiny.train("1")) == 1
    break_at(8)
    mine, tiny.runs = tiny.runs, tmp_path / "other"
    assert main(tiny.train("1", *other)) == 1
    foreign = shutil.copy(mine / "1" / "last.ckpt", tiny.runs / "1" / "last.ckpt")
    record = (tiny.runs / "1" / "stage.json").stat().st_mtime_ns
    refused(tiny, capsys, tiny.train("1", *other), f"{foreign} is of another run", "remove it")
    assert (tiny.runs / "1" / "stage.json").stat().st_mtime_ns == record
    tiny.runs = mine
    assert main(tiny.train("1")) == 0  # its own is taken
