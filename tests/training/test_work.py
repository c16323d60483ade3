"""FLOPs counted without values, against a closed form and against a pass with values."""

from types import SimpleNamespace

import pytest
import torch
from tiny_recipe import FAMILIES, TinyRecipe
from torch.utils.flop_counter import FlopCounterMode

from training.bucket import Bucket
from training.config import build_stage
from training.recipe import Recipe
from training.work import blank_inputs, flops_of_sample, set_checkpointing, without_values

BUCKET = Bucket(4, 16, 24)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pass_without_values_counts_what_one_with_values_does(tmp_path, family):
    module = build_stage(Recipe(TinyRecipe(tmp_path, family).recipe).files("2"), []).model
    set_checkpointing(module.denoiser, False)
    noisy, c_noise, conditions = blank_inputs(module, BUCKET, 1, (77, 64), device="cpu")
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        module.denoiser(torch.zeros_like(noisy), torch.zeros_like(c_noise), conditions).sum().backward()
    assert flops_of_sample(module, BUCKET, (77, 64)) == counter.get_total_flops() > 0


def test_what_is_computed_again_is_not_counted(tmp_path):
    counts = []
    for is_on in ("true", "false"):
        (tmp_path / is_on).mkdir()
        files = Recipe(TinyRecipe(tmp_path / is_on, "svd").recipe).files("2")
        module = build_stage(files, [f"--model.denoiser.init_args.gradient_checkpointing={is_on}"]).model
        counts.append(flops_of_sample(module, BUCKET, (77, 64)))
    assert counts[0] == counts[1] > 0


def test_a_linear_layer_costs_what_it_should():
    class Layer(torch.nn.Linear):
        def forward(self, noisy, c_noise, conditions):
            return super().forward(noisy)

    codec = SimpleNamespace(shape=lambda frames, height, width: (frames, 4, height // 8, width // 8))
    conditioner = SimpleNamespace(of_nothing=lambda latents, text_shape: None)
    module = SimpleNamespace(denoiser=Layer(3, 5), codec=codec, conditioner=conditioner)
    rows = 4 * 4 * 2  # T x C x h of a sample; the product of width 3 x 5, forward, and backward to the weight alone
    assert flops_of_sample(module, BUCKET, (77, 64)) == 2 * (2 * rows * 3 * 5)  # pyright: ignore[reportArgumentType]


def test_a_copy_without_values_keeps_what_trains_and_leaves_the_module_alone():
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    module[0].weight.requires_grad_(False)
    copy = without_values(module)
    assert all(tensor.device.type == "meta" for tensor in copy.state_dict().values())
    assert [p.requires_grad for p in copy.parameters()] == [False, True, True, True]
    assert all(tensor.device.type == "cpu" for tensor in module.state_dict().values())
