"""What a stage starts from, through the command line."""

import shutil

import pytest
import torch
from diffusers import UNet2DConditionModel, UNetSpatioTemporalConditionModel
from safetensors.torch import load_file
from tiny_recipe import TinyRecipe

from training.__main__ import main
from training.run import Run, content_hash


@pytest.fixture
def tiny(tmp_path):
    recipe = TinyRecipe(tmp_path)
    recipe.pack()
    return recipe


@pytest.fixture
def image_model(tmp_path):
    """A published image U-Net that the tiny recipe can start from."""
    torch.manual_seed(5)
    blocks = {"down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D")}
    blocks |= {"up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"), "block_out_channels": (64, 64)}
    sizes = {"layers_per_block": 1, "attention_head_dim": 2, "cross_attention_dim": 64, "use_linear_projection": True}
    UNet2DConditionModel(**blocks, **sizes).save_pretrained(tmp_path / "sd" / "unet")
    return tmp_path / "sd"


@pytest.fixture
def video_model(tmp_path):
    """A published image-to-video U-Net that the tiny recipe can start from."""
    torch.manual_seed(6)
    downs = ("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal")
    ups = ("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal")
    sizes = {"block_out_channels": (64, 64), "layers_per_block": 1, "num_attention_heads": 2, "cross_attention_dim": 64}
    numbers = {"addition_time_embed_dim": 16, "projection_class_embeddings_input_dim": 32}
    UNetSpatioTemporalConditionModel(
        in_channels=8, down_block_types=downs, up_block_types=ups, **sizes, **numbers
    ).save_pretrained(tmp_path / "svd" / "unet")
    return tmp_path / "svd"


def refused(capsys, arguments, *words):
    capsys.readouterr()
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert [word for word in words if word not in said] == [], said


def test_a_stage_starts_from_published_weights_and_says_which(tiny, image_model, capsys):
    start = ("--init_weights", str(image_model), "--model.trainable", r"[time_embedding\.]")
    assert main(tiny.train("1", *start)) == 0
    published = load_file(image_model / "unet" / "diffusion_pytorch_model.safetensors")
    told = f"starts from the published weights in {image_model}/unet: {len(published)} tensors taken, "
    assert told in capsys.readouterr().out
    record = Run(tiny.runs / "1").record
    assert record and record["made_from"]["init_weights"] == content_hash(image_model / "unet")
    assert record["started_from"]["published_as"] == str(image_model) and "fresh" in record["started_from"]["tensors"]
    after = load_file(tiny.runs / "1" / "raw.safetensors")
    moved = {name for name, weight in published.items() if f"unet.{name}" in after}
    moved = {name for name in moved if not torch.equal(after[f"unet.{name}"], published[name])}
    assert moved == {name for name in published if name.startswith("time_embedding.")}  # the rest is what it was


def test_the_second_stage_starts_from_a_published_video_model(tiny, video_model, capsys):
    still = ("--model.optimizer.learning_rate", "1e-30", "--model.optimizer.weight_decay", "0")
    assert main(tiny.train("2", "--init_from", "null", "--init_weights", str(video_model), *still)) == 0
    published = load_file(video_model / "unet" / "diffusion_pytorch_model.safetensors")
    told = f"{len(published)} tensors taken, the first 4 of 8 input channels"
    assert f"starts from the published weights in {video_model}/unet: {told}" in capsys.readouterr().out
    published["conv_in.weight"] = published["conv_in.weight"][:, :4]  # those of the noisy latents
    after = load_file(tiny.runs / "2" / "raw.safetensors")
    assert after.keys() == {f"unet.{name}" for name in published}
    for name, weight in published.items():
        torch.testing.assert_close(after[f"unet.{name}"], weight, rtol=0, atol=1e-20)  # zeros move by the rate


def test_the_same_weights_elsewhere_go_on_and_others_do_not(tiny, image_model, tmp_path, capsys):
    assert main(tiny.train("1", "--init_weights", str(image_model))) == 0
    shutil.copytree(image_model, tmp_path / "copy")
    assert main(tiny.train("1", "--init_weights", str(tmp_path / "copy"))) == 0
    assert "is finished" in capsys.readouterr().out
    config = tmp_path / "copy" / "unet" / "config.json"
    config.write_text(config.read_text() + "\n")
    refused(capsys, tiny.train("1", "--init_weights", str(tmp_path / "copy")), "init_weights", "FORCE=1")
    refused(capsys, tiny.train("1"), "init_weights", "-> None")


def test_what_cannot_be_started_from_is_refused_before_anything_is_written(tiny, image_model, capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    refused(capsys, tiny.train("1", "--init_weights", "nobody/nothing"), "name a local copy: --init_weights=<folder>")
    given = ("--init_weights", str(image_model))
    refused(capsys, tiny.train("2", *given), "from stage 1 (init_from) and from", "--init_from=null")
    narrow = ("--model.denoiser.init_args.block_out_channels", "[64, 32]")
    refused(capsys, tiny.train("1", *given, *narrow), "(64,) there, (32,) here")
    assert not (tiny.runs / "1").exists()


def test_the_plan_names_them_and_needs_none(tiny, capsys):
    assert main(["plan", "--recipe", str(tiny.recipe), "--stage", "1", "--init_weights", "nobody/nothing"]) == 0
    assert "stage 1, from nobody/nothing" in capsys.readouterr().out
