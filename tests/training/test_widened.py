"""The hand-over to a stage that is given more: at first nothing changes, whatever it is given."""

from dataclasses import replace

import pytest
import torch
from tiny_recipe import FAMILIES

from training.conditioning import Conditions
from training.denoisers.cogvideox import CogVideoX
from training.denoisers.svd_unet import SvdUnet

CLASSES = {"svd": SvdUnet, "cogvideox": CogVideoX}


def denoiser(family, seed, **settings):
    torch.manual_seed(seed)
    built = CLASSES[family](**{**FAMILIES[family]["init_args"], **settings})
    for parameter in built.parameters():
        if not parameter.any():  # what starts at zero would hide what comes in
            torch.nn.init.normal_(parameter, std=0.1)
    return built


def inputs():
    generator = torch.Generator().manual_seed(5)
    noisy, given = torch.randn(2, 5, 4, 8, 8, generator=generator), torch.randn(2, 5, 4, 8, 8, generator=generator)
    told = Conditions(torch.randn(2, 3, 64, generator=generator), torch.randn(2, 2, generator=generator))
    is_given = torch.zeros(2, 5, dtype=torch.bool)
    is_given[:, [0, -1]] = True
    return noisy, torch.tensor([0.1, -0.4]), told, given, is_given


@pytest.mark.parametrize("family", CLASSES)
def test_channels_that_come_in_change_nothing_at_first(family):
    noisy, c_noise, told, given, _ = inputs()
    before, after = denoiser(family, 0), denoiser(family, 1, in_channels=8)
    after.load_state_dict(after.widened(before.state_dict()))
    with torch.no_grad():
        expected = before(noisy, c_noise, told)
        assert expected.std() > 0.01
        assert torch.allclose(after(noisy, c_noise, replace(told, given=given)), expected, atol=1e-6)


def test_the_u_net_of_stage_after_stage_stays_as_it_was():
    """4 channels of text to video, 8 of image to video, 9 of interpolation."""
    noisy, c_noise, told, given, is_given = inputs()
    four, eight = denoiser("svd", 0), denoiser("svd", 1, in_channels=8)
    nine = denoiser("svd", 2, in_channels=9, num_given_channels=4)
    eight.load_state_dict(eight.widened(four.state_dict()))
    nine.load_state_dict(nine.widened(eight.state_dict()))
    masked = replace(told, given=given, is_given=is_given)
    with torch.no_grad():
        assert torch.equal(nine(noisy, c_noise, masked), four(noisy, c_noise, told))
        torch.nn.init.ones_(nine.unet.conv_in.weight)
        assert not torch.equal(nine(noisy, c_noise, masked), four(noisy, c_noise, told)), "it does see them"


def test_the_learnt_latents_stand_where_no_frame_is_given():
    model, (noisy, _, told, given, is_given) = denoiser("svd", 0, in_channels=9, num_given_channels=4), inputs()
    with torch.no_grad():
        model.not_given.copy_(torch.arange(4.0))
        seen = model.with_given(noisy, replace(told, given=given, is_given=is_given))
    assert torch.equal(seen[:, :, :4], noisy) and torch.equal(seen[:, 0, 4:8], given[:, 0])
    assert torch.equal(seen[:, 2, 4:8], torch.arange(4.0)[None, :, None, None].expand(2, -1, 8, 8))
    assert seen[:, :, 8].flatten(2).mean(2).tolist() == [[1, 0, 0, 0, 1]] * 2


def test_weights_that_know_more_do_not_fit():
    four, eight = denoiser("svd", 0), denoiser("svd", 1, in_channels=8)
    with pytest.raises(RuntimeError, match=r"conv_in\.weight"):
        four.load_state_dict(four.widened(eight.state_dict()))
