"""The estimate of memory against closed forms, and against what a pass with values holds."""

from types import SimpleNamespace

import pytest
import torch
from tiny_recipe import FAMILIES, TinyRecipe
from torch.utils.checkpoint import checkpoint

from training.bucket import Bucket
from training.config import build_stage
from training.memory import _Live, activation_bytes, held
from training.recipe import Recipe
from training.work import blank_inputs

BUCKET, TEXT = Bucket(4, 64, 96), (77, 64)
WIDTH = 64
UNIT = 4 * 4 * 8 * 12 * WIDTH  # bytes of one layer's output for the bucket


class Stack(torch.nn.Module):
    """Layers of one width, each keeping its output."""

    def __init__(self, depth, checkpointed=False):
        super().__init__()
        self.layers = torch.nn.ModuleList(
            torch.nn.Sequential(torch.nn.Linear(WIDTH, WIDTH), torch.nn.Tanh()) for _ in range(depth)
        )
        self.checkpointed = checkpointed

    def forward(self, noisy, c_noise, conditions):
        for layer in self.layers:
            noisy = checkpoint(layer, noisy, use_reentrant=False) if self.checkpointed else layer(noisy)
        return noisy


def module_of(denoiser):
    codec = SimpleNamespace(shape=lambda frames, height, width: (frames, height // 8, width // 8, WIDTH))
    conditioner = SimpleNamespace(of_nothing=lambda latents, text_shape: None)
    return SimpleNamespace(denoiser=denoiser, codec=codec, conditioner=conditioner)


def test_each_layer_adds_what_it_keeps():
    few, many = (activation_bytes(module_of(Stack(depth)), BUCKET, TEXT) for depth in (4, 10))
    assert many - few == 6 * UNIT  # of each layer the output of tanh, which the next one shares
    assert 4 * UNIT <= few <= 10 * UNIT


def test_what_attention_is_computed_from_is_kept_and_its_matrix_is_not():
    class Attention(Stack):
        def forward(self, noisy, c_noise, conditions):
            tokens = noisy.flatten(1, 3)[:, None]  # (B, 1, T*h*w, C)
            return torch.nn.functional.scaled_dot_product_attention(*(layer(tokens) for layer in self.layers))

    found = activation_bytes(module_of(Attention(3)), Bucket(16, 64, 96), TEXT)
    matrix = (16 * 8 * 12) ** 2 * 4
    assert 4 * 4 * UNIT < found < matrix / 2  # query, key, value, result; four times as many frames


def test_what_is_computed_again_is_held_once():
    kept, again = (activation_bytes(module_of(Stack(12, on)), BUCKET, TEXT) for on in (False, True))
    deeper = activation_bytes(module_of(Stack(13, True)), BUCKET, TEXT)
    assert deeper - again == UNIT, "the input of each block stays"
    assert again <= kept + UNIT


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pass_with_values_holds_what_was_estimated(tmp_path, family):
    module = build_stage(Recipe(TinyRecipe(tmp_path, family).recipe).files("2"), []).model
    denoiser, inputs = module.denoiser.train(), blank_inputs(module, BUCKET, 1, TEXT, device="cpu")
    for parameter in denoiser.parameters():
        parameter.register_post_accumulate_grad_hook(lambda each: setattr(each, "grad", None))
    with _Live(*denoiser.parameters(), *denoiser.buffers()) as live:
        denoiser(*inputs).square().mean().backward()
    assert activation_bytes(module, BUCKET, TEXT) == pytest.approx(live.most, rel=0.05)


@pytest.mark.parametrize(
    ("precision", "a_parameter", "copies", "least"),
    [("32-true", 4, 0, 1.0), ("bf16-mixed", 4, 2, 0.5), ("bf16-true", 2, 0, 0.5)],
)
def test_parts_of_a_precision(precision, a_parameter, copies, least):
    denoiser = torch.nn.Linear(10, 10, bias=False)
    denoiser.is_temporal = lambda name: False  # pyright: ignore
    module = SimpleNamespace(denoiser=denoiser, ema_decays=(0.9,), ema_sigma_rels=(0.1,))
    memory = held(module, precision, num_shards=2, activations=100.0)  # pyright: ignore[reportArgumentType]
    assert (memory.weights, memory.gradients, memory.moments) == tuple(50 * a_parameter * n for n in (1, 1, 2))
    assert (memory.averages, memory.copies) == (2 * 50 * 4, 50 * copies)
    assert memory.activations[0] == 100 * least and memory.total[1] >= memory.total[0]
