import copy
import pickle

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from jsonargparse import ArgumentParser

from training.conditioning import Conditions
from training.denoisers.cogvideox import CogVideoX
from training.denoisers.denoiser import Denoiser
from training.inventory import count

SIZES = {"num_layers": 2, "num_attention_heads": 2, "attention_head_dim": 16, "in_channels": 4, "out_channels": 4}
TINY = SIZES | {"time_embed_dim": 32, "text_embed_dim": 16}


@pytest.fixture(autouse=True)
def one_seed():
    torch.manual_seed(0)


def tiny(**changes) -> CogVideoX:
    return CogVideoX(**(TINY | {"num_micro": 2, "micro_embed_dim": 16} | changes))


def batch(num_frames=4, height=8, width=12, num_tokens=5, size=2):
    conditions = Conditions(torch.randn(size, num_tokens, 16), torch.rand(size, 2) * 100)
    return torch.randn(size, num_frames, 4, height, width), torch.randn(size), conditions


def perturb(denoiser: CogVideoX) -> CogVideoX:
    """Lets the numbers in."""
    torch.nn.init.normal_(denoiser.micro_embedding.linear_2.weight)
    return denoiser


def test_the_defaults_are_the_published_5b_model():
    with torch.device("meta"):
        assert count(CogVideoX()).num_total == count_of_diffusers()


def count_of_diffusers() -> int:
    """The configuration published with CogVideoX-5b."""
    published = {"num_attention_heads": 48, "num_layers": 42, "use_rotary_positional_embeddings": True}
    return sum(p.numel() for p in CogVideoXTransformer3DModel(**published).parameters())


@torch.no_grad()
@pytest.mark.parametrize("num_frames", [1, 4])
def test_a_fresh_model_predicts_what_diffusers_does_without_numbers(num_frames):
    denoiser, (noisy, c_noise, conditions) = tiny(), batch(num_frames)
    bare = CogVideoXTransformer3DModel(**TINY, use_rotary_positional_embeddings=True)
    bare.load_state_dict(denoiser.transformer.state_dict())
    rotary = get_3d_rotary_pos_embed(16, ((0, 0), (4, 6)), (4, 6), num_frames)
    expected = bare(noisy, conditions.text, c_noise, image_rotary_emb=rotary).sample
    assert torch.equal(denoiser(noisy, c_noise, conditions), expected)


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 8, 12, 5), (8, 8, 12, 5), (3, 6, 10, 1), (2, 2, 2, 48)])
def test_any_number_of_frames_any_size_and_any_length_of_text(size):
    noisy, *rest = batch(*size)
    assert tiny()(noisy, *rest).shape == noisy.shape


@torch.no_grad()
def test_noise_level_and_every_number_and_token_matter_to_their_own_clip():
    denoiser, (noisy, c_noise, conditions) = perturb(tiny()), batch()
    text, micro = conditions.text, conditions.micro
    number, level = torch.tensor([[10.0], [0.0]]), torch.tensor([1.0, 0.0])
    changes = [(c_noise + level, text, micro)]
    changes += [(c_noise, text, micro + number * torch.eye(2)[k]) for k in range(2)]
    changes += [(c_noise, text + number[..., None] * torch.eye(5)[k][None, :, None], micro) for k in range(5)]
    before = denoiser(noisy, c_noise, conditions)
    for c_noise_, text_, micro_ in changes:
        moved = (denoiser(noisy, c_noise_, Conditions(text_, micro_)) - before).abs().amax((1, 2, 3, 4))
        assert moved[0] > 1e-4
        assert moved[1] < 1e-6


@torch.no_grad()
def test_the_order_of_frames_matters():
    denoiser, (noisy, *rest) = tiny(), batch()
    assert not torch.allclose(denoiser(noisy.flip(1), *rest).flip(1), denoiser(noisy, *rest), atol=1e-4)


def test_no_parameter_is_temporal_and_a_picture_trains_all():
    denoiser = perturb(tiny())
    denoiser(*batch(num_frames=1)).square().mean().backward()
    assert count(denoiser).num_temporal == 0
    assert [name for name, p in denoiser.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_gradient_checkpointing_gives_equal_gradients():
    plain, saving = perturb(tiny()), tiny(gradient_checkpointing=True)
    saving.load_state_dict(plain.state_dict())
    assert saving.transformer.is_gradient_checkpointing
    inputs = batch()
    for denoiser in (plain, saving):
        denoiser(*inputs).square().mean().backward()
    for ours, theirs in zip(plain.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


@torch.no_grad()
@pytest.mark.parametrize("checkpointing", [False, True])
def test_copies_by_deepcopy_and_pickle_predict_the_same(checkpointing):
    denoiser, inputs = perturb(tiny(gradient_checkpointing=checkpointing)), batch()
    for other in (copy.deepcopy(denoiser), pickle.loads(pickle.dumps(denoiser))):
        assert torch.equal(other(*inputs), denoiser(*inputs))


def test_yaml_makes_one_without_numbers():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Denoiser, "denoiser")
    config = {"denoiser": {"class_path": "training.denoisers.cogvideox.CogVideoX", "init_args": dict(TINY)}}
    denoiser = parser.instantiate(parser.parse_object(config)).denoiser
    noisy, c_noise, conditions = batch()
    assert denoiser(noisy, c_noise, Conditions(conditions.text, torch.zeros(2, 0))).shape == noisy.shape


def test_what_cannot_work_is_refused():
    noisy, c_noise, conditions = batch(height=7)
    with pytest.raises(ValueError, match="7 x 12"):
        tiny()(noisy, c_noise, conditions)
    with pytest.raises(ValueError, match="num_micro 3"):
        tiny(num_micro=3)(noisy, c_noise, conditions)
    with pytest.raises(ValueError, match="multiple of 16"):
        tiny(attention_head_dim=24)
