"""The causal codec against diffusers' own computation, and a recipe that trains through it by its YAML alone."""

import pytest
import torch
import yaml
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import AutoencoderKLCogVideoX
from test_codec import CPU, tiny
from tiny_recipe import TinyRecipe

from shards.store import read_json
from training.__main__ import main
from training.causal_codec import CausalCodec
from training.pictures import read_mp4


def tiny_causal(folder, shift=None):
    torch.manual_seed(0)
    model = AutoencoderKLCogVideoX(
        block_out_channels=(8, 8, 8, 8),
        norm_num_groups=2,
        layers_per_block=1,
        latent_channels=4,
        scaling_factor=0.7,
        shift_factor=shift,
    )
    torch.nn.init.normal_(model.decoder.conv_out.conv.weight, std=0.3)  # else the pictures are nearly gray
    model.save_pretrained(folder)
    return model.eval()


@pytest.fixture(scope="module", params=[None, 0.3], ids=["scaled", "shifted"])
def saved(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae")
    model = tiny_causal(folder, request.param)
    codec = CausalCodec(str(folder), channels=4)
    codec.load(CPU, torch.float32)
    return model, codec, request.param or 0.0


def some_frames(num_frames=9, batch=2):
    return torch.randint(0, 256, (batch, num_frames, 16, 24, 3), generator=torch.Generator().manual_seed(1)).byte()


def as_diffusers(frames):
    return frames.permute(0, 4, 1, 2, 3).float() / 127.5 - 1  # (B, 3, T, H, W)


@torch.no_grad()
def test_latents_and_frames_are_those_of_diffusers(saved):
    model, codec, shift = saved
    frames = some_frames()
    mean = model.encode(as_diffusers(frames)).latent_dist.mean  # (B, C, T', h, w)
    latents = codec.encode(frames)
    assert latents.shape == (2, *codec.shape(9, 16, 24)) == (2, 3, 4, 2, 3)
    assert torch.allclose(latents, ((mean - shift) * 0.7).transpose(1, 2), atol=1e-5)
    expected = ((model.decode(mean).sample + 1) * 127.5).round().clamp(0, 255).permute(0, 2, 3, 4, 1)
    decoded = codec.decode(latents)
    assert decoded.shape == frames.shape and decoded.dtype == torch.uint8 and expected.std() > 10
    assert (decoded.float() - expected).abs().max() <= 1


def test_latents_of_a_pass_depend_on_no_later_pass(saved):
    _, codec, _ = saved
    frames = some_frames(num_frames=17, batch=1)  # passes of 9 and 8
    others = frames.clone()
    others[:, 9:] = 255 - others[:, 9:]
    one, other = codec.encode(frames), codec.encode(others)
    assert torch.allclose(one[:, :3], other[:, :3], atol=1e-5) and not torch.allclose(one[:, 3], other[:, 3], atol=1e-2)


def test_a_given_frame_is_a_video_of_one_frame(saved):
    _, codec, _ = saved
    frames = some_frames(num_frames=1)
    pixels = frames.permute(0, 1, 4, 2, 3).float() / 127.5 - 1  # (B, 1, 3, H, W)
    assert torch.allclose(codec.encode_given(pixels), codec.encode(frames), atol=1e-6)


def test_what_does_not_fit_is_told(saved, tmp_path):
    _, codec, _ = saved
    with pytest.raises(ValueError, match=r"13 frames: this autoencoder takes 1 \+ a multiple of 8, so 9 or 17"):
        codec.shape(13, 16, 24)
    with pytest.raises(ValueError, match="multiples of 8"):
        codec.shape(9, 16, 20)
    tiny_causal(tmp_path / "causal")
    with pytest.raises(ValueError, match=r"has time_factor 4, the configuration says 8: set .*\.time_factor"):
        CausalCodec(str(tmp_path / "causal"), time_factor=8, channels=4).load(CPU, torch.float32)
    tiny(tmp_path / "frames")
    with pytest.raises(ValueError, match="it is a AutoencoderKL, not one of AutoencoderKLCogVideoX"):
        CausalCodec(str(tmp_path / "frames"), channels=4).load(CPU, torch.float32)


def test_the_second_family_trains_and_samples_through_it(tmp_path):
    recipe = TinyRecipe(tmp_path, "cogvideox")
    recipe.pack()
    tiny_causal(tmp_path / "causal")
    base = yaml.safe_load((recipe.recipe / "base.yaml").read_text())
    init_args = {"path": str(tmp_path / "causal"), "channels": 4}
    base["model"]["codec"] = {"class_path": "training.causal_codec.CausalCodec", "init_args": init_args}
    recipe.write("base", base)
    recipe.write("2", {"init_from": "1", "data": {"buckets": [{"num_frames": 9, "height": 16, "width": 24}]}})
    assert main(recipe.train("1")) == 0 and main(recipe.train("2")) == 0
    before, *_, after = read_json(recipe.runs / "2" / "stage.json")["held_out_loss"]
    assert after["loss"] < before["loss"]
    assert main(recipe.sample("a cat", "--seed", "3")) == 0
    assert read_mp4(next((recipe.runs / "2" / "samples").glob("*.mp4"))).shape == (9, 16, 24, 3)
