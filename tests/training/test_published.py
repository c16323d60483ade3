"""Published U-Nets, random and tiny, in each layout: their own forward is the known answer."""

import re

import pytest
import torch
from diffusers import UNet2DConditionModel, UNetSpatioTemporalConditionModel
from safetensors.torch import load_file, save_file

from training.conditioning import Conditions
from training.denoisers.cogvideox import CogVideoX
from training.denoisers.svd_unet import SvdUnet
from training.published import fill, find, with_inputs

SIZES = {"block_out_channels": (32, 64), "layers_per_block": 1, "cross_attention_dim": 16}
OWN = SIZES | {"num_attention_heads": (2, 4), "num_micro": 3, "addition_time_embed_dim": 8}


def published_image(folder, **changes):
    """Stable Diffusion 2.1 in miniature."""
    settings = SIZES | {"attention_head_dim": [2, 4], "use_linear_projection": True, "upcast_attention": True}
    downs, ups = ("CrossAttnDownBlock2D", "DownBlock2D"), ("UpBlock2D", "CrossAttnUpBlock2D")
    torch.manual_seed(1)
    unet = UNet2DConditionModel(**(settings | {"down_block_types": downs, "up_block_types": ups} | changes)).eval()
    unet.save_pretrained(folder / "unet")
    return unet


def published_video(folder, in_channels=8):
    """Stable Video Diffusion in miniature: image to video has 8 channels."""
    downs = ("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal")
    ups = ("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal")
    numbers = {"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 24, "num_attention_heads": (2, 4)}
    torch.manual_seed(2)
    unet = UNetSpatioTemporalConditionModel(
        in_channels=in_channels, down_block_types=downs, up_block_types=ups, **SIZES, **numbers
    ).eval()
    unet.save_pretrained(folder / "unet")
    return unet


def inputs(num_frames=1, channels=4):
    torch.manual_seed(3)
    conditions = Conditions(torch.randn(2, 5, 16), torch.rand(2, 3) * 100)
    return torch.randn(2, num_frames, channels, 8, 12), torch.randn(2), conditions


def in_ldm_layout(weights):
    """Names of latent diffusion for the miniature, written down from its `openaimodel.py`: level by level."""
    places = {"down_blocks.0.resnets.0": "input_blocks.1.0", "down_blocks.0.attentions.0": "input_blocks.1.1"}
    places |= {
        "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
        "down_blocks.1.resnets.0": "input_blocks.3.0",
    }
    places |= {"mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1"}
    places |= {"mid_block.resnets.1": "middle_block.2", "up_blocks.0.resnets.0": "output_blocks.0.0"}
    places |= {"up_blocks.0.resnets.1": "output_blocks.1.0", "up_blocks.0.upsamplers.0.conv": "output_blocks.1.1.conv"}
    places |= {f"up_blocks.1.resnets.{n}": f"output_blocks.{n + 2}.0" for n in (0, 1)}
    places |= {f"up_blocks.1.attentions.{n}": f"output_blocks.{n + 2}.1" for n in (0, 1)}
    places |= {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2"}
    places |= {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}
    inside = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0"}
    inside |= {"conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
    found = {}
    for name, weight in weights.items():
        place = next(place for place in places if name.startswith(f"{place}."))
        rest = name.removeprefix(f"{place}.")
        if ".resnets." in name:
            rest = re.sub(r"^\w+", lambda word: inside[word[0]], rest)
        found[f"model.diffusion_model.{places[place]}.{rest}"] = weight
    return found


def with_epsilons_of(own, published):
    """diffusers gave some group norms of the video U-Net 1e-6 where image U-Nets have 1e-5: 1e-4 of a tiny output."""
    for name, module in own.unet.named_modules():
        if isinstance(module, torch.nn.GroupNorm) and "temporal" not in name:
            published.get_submodule(name.replace(".spatial_res_block", "")).eps = module.eps
    return published


def single_file(folder, unet, **others):
    weights = {name: weight.contiguous() for name, weight in in_ldm_layout(unet.state_dict()).items()}
    save_file(weights | others, folder / "sd.safetensors")
    return str(folder / "sd.safetensors")


@torch.no_grad()
@pytest.mark.parametrize("layout", ["pipeline", "folder", "file", "ldm"])
def test_pictures_are_predicted_as_by_the_published_image_model(tmp_path, layout):
    published, own = published_image(tmp_path), SvdUnet(**OWN)
    names = {"pipeline": tmp_path, "folder": tmp_path / "unet"}
    names["file"] = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    if layout == "ldm":
        names["ldm"] = single_file(tmp_path, published, **{"first_stage_model.x": torch.zeros(1)})
    taken = fill(own, find(str(names[layout]), own))
    noisy, c_noise, conditions = inputs()
    expected = with_epsilons_of(own, published)(noisy[:, 0], c_noise, conditions.text).sample
    torch.testing.assert_close(own(noisy, c_noise, conditions)[:, 0], expected, atol=1e-5, rtol=0)
    assert expected.std() > 0.1
    counted = taken.num_taken, taken.num_taken + sum(taken.fresh.values())
    assert counted == (len(published.state_dict()), len(own.state_dict()))


@torch.no_grad()
def test_a_video_is_at_first_the_pictures_of_the_image_model(tmp_path):
    published, own = published_image(tmp_path), SvdUnet(**OWN)
    fill(own, find(str(tmp_path), own))
    noisy, c_noise, conditions = inputs(num_frames=3)
    with_epsilons_of(own, published)
    for frame in range(3):
        expected = published(noisy[:, frame], c_noise, conditions.text).sample
        torch.testing.assert_close(own(noisy, c_noise, conditions)[:, frame], expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_videos_are_predicted_as_by_the_published_video_model(tmp_path):
    published, own = published_video(tmp_path), SvdUnet(in_channels=8, **OWN)
    taken = fill(own, find(str(tmp_path), own))
    noisy, c_noise, conditions = inputs(num_frames=3, channels=8)
    expected = published(noisy, c_noise, conditions.text, conditions.micro).sample
    torch.testing.assert_close(own(noisy, c_noise, conditions), expected, atol=1e-5, rtol=0)
    assert taken.fresh == {} and str(taken) == f"{len(own.state_dict())} tensors taken"


@torch.no_grad()
def test_text_to_video_from_image_to_video_is_that_with_an_image_of_zeros(tmp_path):
    published, own = published_video(tmp_path), SvdUnet(**OWN)
    taken = fill(own, find(str(tmp_path), own))
    noisy, c_noise, conditions = inputs(num_frames=3)
    both = torch.cat([noisy, torch.zeros_like(noisy)], dim=2)
    expected = published(both, c_noise, conditions.text, conditions.micro).sample
    torch.testing.assert_close(own(noisy, c_noise, conditions), expected, atol=1e-5, rtol=0)
    assert "the first 4 of 8 input channels" in str(taken)


@torch.no_grad()
def test_further_input_channels_change_nothing_at_first(tmp_path):
    published, own = published_image(tmp_path), SvdUnet(in_channels=9, **OWN)
    assert "5 zero inputs" in str(fill(own, find(str(tmp_path), own)))
    noisy, c_noise, conditions = inputs(channels=9)
    expected = with_epsilons_of(own, published)(noisy[:, 0, :4], c_noise, conditions.text).sample
    torch.testing.assert_close(own(noisy, c_noise, conditions)[:, 0], expected, atol=1e-5, rtol=0)
    assert with_inputs(torch.ones(2, 4, 3, 3), 9).sum() == 2 * 4 * 9


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"block_out_channels": (32, 96)}, r"of another shape: .*\(96,\) there, \(64,\) here"),
        ({"cross_attention_dim": 24}, r"attn2.to_k.weight \(32, 24\) there, \(32, 16\) here"),
        ({"attention_head_dim": [4, 4]}, r"\[4, 4\] attention heads.*num_attention_heads, now \[2, 4\]"),
        ({"layers_per_block": 2}, r"96 tensors are of no use here: down_blocks.0.attentions.1"),
        ({"use_linear_projection": False}, r"proj_in.weight \(32, 32, 1, 1\) there, \(32, 32\) here"),
        ({"act_fn": "gelu"}, "act_fn 'gelu', SvdUnet 'silu'"),
    ],
)
def test_another_architecture_is_refused_and_nothing_is_taken(tmp_path, changes, words):
    published_image(tmp_path, **changes)
    own = SvdUnet(**OWN)
    before = {name: weight.clone() for name, weight in own.state_dict().items()}
    with pytest.raises(ValueError, match=rf"(?s)unet does not hold the weights .*{words}"):
        fill(own, find(str(tmp_path), own))
    assert all(torch.equal(weight, before[name]) for name, weight in own.state_dict().items())


@pytest.mark.parametrize("lost", ["conv_out.bias", "mid_block.resnets.0.temporal_res_block.conv1.bias"])
def test_a_file_that_lacks_a_tensor_is_refused(tmp_path, lost):
    published_video(tmp_path, in_channels=4)
    path = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({name: weight for name, weight in load_file(path).items() if name != lost}, path)
    with pytest.raises(ValueError, match=f"1 tensors are missing: {lost}"):
        fill(SvdUnet(**OWN), path)


def test_what_is_no_published_model_is_refused(tmp_path, monkeypatch):
    own, stacked = SvdUnet(**OWN), "model.diffusion_model.input_blocks.1.0.time_stack.in_layers.0.weight"
    save_file({stacked: torch.zeros(1)}, tmp_path / "svd.safetensors")
    with pytest.raises(ValueError, match=r"layout of generative-models .* take the diffusers folder"):
        fill(own, tmp_path / "svd.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"broken.safetensors does not hold the weights"):
        fill(own, tmp_path / "broken.safetensors")
    with pytest.raises(ValueError, match="has no folder 'unet'"):
        find(str(tmp_path), own)
    published_image(tmp_path)
    with pytest.raises(ValueError, match="has no folder 'transformer'"):
        find(str(tmp_path), CogVideoX(num_layers=1, num_attention_heads=1, attention_head_dim=16))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"no folder or file here, .* name a local copy: --init_weights=<folder>"):
        find("nobody/nothing", own)
