import copy
import pickle

import pytest
import torch
from jsonargparse import ArgumentParser

from training.conditioning import Conditions
from training.denoisers.denoiser import Denoiser
from training.denoisers.svd_unet import SvdUnet
from training.inventory import count

TINY = {"block_out_channels": (32, 64), "layers_per_block": 1, "num_attention_heads": 2, "addition_time_embed_dim": 16}


@pytest.fixture(autouse=True)
def one_seed():
    torch.manual_seed(0)


def tiny(**changes) -> SvdUnet:
    return SvdUnet(**(TINY | {"cross_attention_dim": 16, "num_micro": 2} | changes))


def batch(size=2, num_frames=4, height=8, width=12, num_tokens=5):
    conditions = Conditions(torch.randn(size, num_tokens, 16), torch.rand(size, 2) * 100)
    return torch.randn(size, num_frames, 4, height, width), torch.randn(size), conditions


def temporal(unet: SvdUnet) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in unet.named_parameters() if unet.is_temporal(name)}


def perturb(unet: SvdUnet, size=0.1) -> SvdUnet:
    """Moves the temporal layers away from where they start."""
    with torch.no_grad():
        for parameter in temporal(unet).values():
            parameter += size * torch.randn_like(parameter)
    return unet


def as_pictures(unet, noisy, c_noise, conditions):
    """The prediction for each frame as if it were a picture."""
    frames = noisy.flatten(0, 1)[:, None]
    repeated = [x.repeat_interleave(noisy.shape[1], 0) for x in (c_noise, conditions.text, conditions.micro)]
    return unet(frames, repeated[0], Conditions(*repeated[1:])).reshape(noisy.shape)


def test_the_defaults_are_the_published_model():
    with torch.device("meta"):
        inventory = count(SvdUnet())
    assert round(inventory.num_total / 1e6, 1) == 1524.6
    assert round(inventory.num_temporal / 1e6, 1) == 656.1


@torch.no_grad()
def test_a_picture_does_not_depend_on_the_temporal_layers():
    unet, inputs = tiny(), batch(num_frames=1)
    before = unet(*inputs)
    assert torch.equal(perturb(unet)(*inputs), before)


@torch.no_grad()
def test_a_picture_would_depend_on_them_without_the_hooks():
    unet, inputs = tiny(), batch(num_frames=1)
    before = unet(*inputs)
    for module in perturb(unet).modules():
        module._forward_pre_hooks.clear()
    assert not torch.allclose(unet(*inputs), before, atol=1e-2)


def test_pictures_give_temporal_layers_no_gradient_and_videos_do():
    unet = perturb(tiny())
    unet(*batch(num_frames=1)).square().mean().backward()
    assert {name for name, p in temporal(unet).items() if p.grad is not None and p.grad.any()} == set()
    assert all(p.grad.any() for name, p in unet.named_parameters() if not unet.is_temporal(name))
    unet(*batch()).square().mean().backward()
    assert {name for name, p in temporal(unet).items() if not p.grad.any()} == set()


def test_a_fresh_model_treats_frames_as_pictures_until_temporal_layers_train():
    unet, inputs = tiny(), batch()
    with torch.no_grad():
        torch.testing.assert_close(unet(*inputs), as_pictures(unet, *inputs), atol=1e-5, rtol=0)
    unet(*inputs).square().mean().backward()
    torch.optim.SGD(temporal(unet).values(), lr=1.0).step()
    with torch.no_grad():
        assert (unet(*inputs) - as_pictures(unet, *inputs)).abs().max() > 1e-3


@torch.no_grad()
def test_frames_see_one_another_and_clips_do_not():
    unet, (noisy, c_noise, conditions) = perturb(tiny()), batch()
    before = unet(noisy, c_noise, conditions)
    noisy[0, -1] += 1.0
    moved = (unet(noisy, c_noise, conditions) - before).abs().amax((2, 3, 4))  # (B, T)
    assert (moved[0] > 1e-4).all()
    assert (moved[1] < 1e-6).all()


@torch.no_grad()
def test_each_clip_sees_all_tokens_of_its_own_text_through_the_temporal_layers_too():
    unet, (noisy, c_noise, conditions) = perturb(tiny()), batch()
    for name, parameter in unet.named_parameters():  # leaves the temporal layers as the text's only way
        if "attn2.to_out" in name and not unet.is_temporal(name):
            parameter.zero_()
    before = unet(noisy, c_noise, conditions)
    for token in range(5):
        text = conditions.text.clone()
        text[0, token] += 5.0
        moved = (unet(noisy, c_noise, Conditions(text, conditions.micro)) - before).abs().amax((2, 3, 4))
        assert (moved[0] > 1e-5).all()
        assert (moved[1] < 1e-6).all()


@torch.no_grad()
@pytest.mark.parametrize("num_frames", [1, 4])
def test_noise_level_and_every_number_and_token_matter(num_frames):
    unet, (noisy, c_noise, conditions) = tiny(), batch(num_frames=num_frames)
    before = unet(noisy, c_noise, conditions)
    assert not torch.allclose(unet(noisy, c_noise + 1, conditions), before, atol=1e-4)
    for k in range(2):
        micro = conditions.micro.clone()
        micro[:, k] += 10.0
        assert not torch.allclose(unet(noisy, c_noise, Conditions(conditions.text, micro)), before, atol=1e-4)
    for token in range(5):
        text = conditions.text.clone()
        text[:, token] += 5.0
        assert not torch.allclose(unet(noisy, c_noise, Conditions(text, conditions.micro)), before, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 8, 12), (8, 8, 12), (3, 5, 7), (2, 6, 9)])
def test_any_number_of_frames_and_any_height_and_width(size):
    unet = perturb(tiny(block_out_channels=(32, 32, 32, 32)))
    noisy, *rest = batch(1, *size)
    assert unet(noisy, *rest).shape == noisy.shape


@torch.no_grad()
@pytest.mark.parametrize("checkpointing", [False, True])
def test_copies_by_deepcopy_and_pickle_predict_the_same(checkpointing):
    unet, inputs = perturb(tiny(gradient_checkpointing=checkpointing)), batch()
    for other in (copy.deepcopy(unet), pickle.loads(pickle.dumps(unet))):
        assert torch.equal(other(*inputs), unet(*inputs))
        picture = (inputs[0][:, :1], *inputs[1:])
        assert torch.equal(perturb(other)(*picture), unet(*picture))


def test_gradient_checkpointing_gives_equal_gradients():
    plain, saving = perturb(tiny()), tiny(gradient_checkpointing=True)
    saving.load_state_dict(plain.state_dict())
    assert saving.unet.is_gradient_checkpointing
    inputs = batch()
    for unet in (plain, saving):
        unet(*inputs).square().mean().backward()
    for (name, ours), theirs in zip(plain.named_parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, msg=lambda text, name=name: f"{name}: {text}")


def test_gradient_checkpointing_keeps_little_of_any_block():
    def kept(checkpointing):
        sizes = {}

        def note(tensor):
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            outputs.append(
                tiny(gradient_checkpointing=checkpointing)(*batch(num_frames=8))
            )  # kept, or memory is reused
        return sum(sizes.values())

    outputs = []
    assert kept(True) < 0.3 * kept(False)  # 0.5 if the temporal blocks kept theirs


def test_yaml_makes_one():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Denoiser, "denoiser")
    init_args = {**TINY, "block_out_channels": [32, 64], "down_block_types": ["DownBlockSpatioTemporal"] * 2}
    config = {"denoiser": {"class_path": "training.denoisers.svd_unet.SvdUnet", "init_args": init_args}}
    unet = parser.instantiate(parser.parse_object(config)).denoiser
    assert unet.unet.config.up_block_types == ("UpBlockSpatioTemporal",) * 2
    assert unet.unet.config.num_attention_heads == 2


def test_wrong_numbers_are_refused():
    noisy, c_noise, conditions = batch()
    with pytest.raises(ValueError, match="num_micro 3"):
        tiny(num_micro=3)(noisy, c_noise, conditions)
    with pytest.raises(ValueError, match="at least one"):
        tiny(num_micro=0)
