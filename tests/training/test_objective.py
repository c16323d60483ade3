"""The objective against the papers' formulas, closed forms and diffusers' scheduler."""

import math
from statistics import NormalDist

import pytest
import torch
from jsonargparse import ArgumentParser

from training.conditioning import Conditions
from training.objective import EdmPreconditioning, EdmWeight, IndependentNoise, LogNormal, Objective, VPreconditioning

CONDITIONS = Conditions(torch.zeros(3, 1, 1), torch.zeros(3, 0))
SIGMA = torch.tensor([0.01, 1.3, 60.0])
SHAPE = (2, 4, 3, 5)


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_v_preconditioning_is_that_of_svd():
    for index, sigma in enumerate(SIGMA.tolist()):
        literal = (
            1 / (sigma**2 + 1),
            -sigma / math.sqrt(sigma**2 + 1),
            1 / math.sqrt(sigma**2 + 1),
            0.25 * math.log(sigma),
        )
        assert [c[index].item() for c in VPreconditioning()(SIGMA)] == pytest.approx(literal, rel=1e-5)


def test_edm_preconditioning_and_weight_are_table_1():
    data = 0.5
    for index, sigma in enumerate(SIGMA.tolist()):
        root = math.sqrt(sigma**2 + data**2)
        literal = (data**2 / (sigma**2 + data**2), sigma * data / root, 1 / root, math.log(sigma) / 4)
        assert [c[index].item() for c in EdmPreconditioning(data)(SIGMA)] == pytest.approx(literal, rel=1e-5)
        weight = (sigma**2 + data**2) / (sigma * data) ** 2
        assert EdmWeight(data)(SIGMA)[index].item() == pytest.approx(weight, rel=1e-5)


def test_default_weight_is_that_of_svd():
    assert torch.allclose(EdmWeight()(SIGMA), (1 + SIGMA**2) / SIGMA**2)


def perfect_v(clean: torch.Tensor, noise: torch.Tensor):
    """A network that knows the answer: v = alpha eps - sigma' x0, checked against the input it is given."""
    alpha, vp_sigma = (f[:, None, None, None, None] for f in (1 / (1 + SIGMA**2).sqrt(), SIGMA / (1 + SIGMA**2).sqrt()))

    def network(noisy, c_noise, conditions):
        assert torch.allclose(noisy, alpha * clean + vp_sigma * noise, atol=1e-5)
        assert torch.allclose(c_noise, SIGMA.log() / 4) and conditions is CONDITIONS
        return alpha * noise - vp_sigma * clean

    return network


def test_a_perfect_v_gives_back_the_clean_latents():
    clean, noise = normal(1, 3, *SHAPE), normal(2, 3, *SHAPE)
    network = perfect_v(clean, noise)
    estimate = Objective().denoise(network, clean + SIGMA[:, None, None, None, None] * noise, SIGMA, CONDITIONS)
    assert torch.allclose(estimate, clean, atol=1e-4)
    assert Objective().loss(network, clean, SIGMA, noise, CONDITIONS).max() < 1e-6


def test_loss_is_the_plain_squared_error_of_v():
    clean, noise, error = normal(1, 3, *SHAPE), normal(2, 3, *SHAPE), normal(3, 3, *SHAPE)
    network = perfect_v(clean, noise)
    loss = Objective().loss(lambda *args: network(*args) + error, clean, SIGMA, noise, CONDITIONS)
    assert loss.shape == (3,)
    assert torch.allclose(loss, error.square().mean((1, 2, 3, 4)), rtol=1e-3)


def test_loss_is_in_float32_under_a_network_of_low_precision():
    clean, noise = normal(1, 3, *SHAPE), normal(2, 3, *SHAPE)
    seen = []
    loss = Objective().loss(
        lambda noisy, *_: seen.append(noisy) or torch.zeros_like(noisy, dtype=torch.bfloat16),
        clean.bfloat16(), SIGMA, noise, CONDITIONS,
    )  # fmt: skip
    assert loss.dtype == seen[0].dtype == torch.float32


@pytest.mark.parametrize("sigma", [0.002, 0.7, 30.0, 700.0])
def test_estimate_is_that_of_diffusers(sigma):
    from diffusers import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler(prediction_type="v_prediction", timestep_type="continuous")
    scheduler.set_timesteps(1)
    scheduler.sigmas = torch.tensor([sigma, 0.0])
    noisy, raw = sigma * normal(1, 1, *SHAPE), normal(2, 1, *SHAPE)
    theirs = scheduler.step(raw, scheduler.timesteps[0], noisy).pred_original_sample
    ours = Objective().denoise(lambda *_: raw, noisy, torch.tensor([sigma]), CONDITIONS)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_a_draw_depends_on_its_own_seed_alone():
    objective = Objective()
    sigma, noise = objective.draw(SHAPE, generators(7, 8, 9))
    assert sigma.shape == (3,) and noise.shape == (3, *SHAPE)
    assert len(set(sigma.tolist())) == 3 and not torch.equal(noise[0], noise[1])
    for row, seed in [(0, 7), (1, 8), (2, 9)]:
        alone = objective.draw(SHAPE, generators(seed))
        assert torch.equal(alone[0][0], sigma[row]) and torch.equal(alone[1][0], noise[row])
    turned = objective.draw(SHAPE, generators(9, 7, 8))
    assert torch.equal(turned[0], sigma[[2, 0, 1]]) and torch.equal(turned[1], noise[[2, 0, 1]])


def test_the_level_does_not_depend_on_the_shape():
    assert torch.equal(Objective().draw(SHAPE, generators(3))[0], Objective().draw((1, 1, 1, 1), generators(3))[0])


def test_log_normal_quantiles_are_those_of_the_normal():
    levels = LogNormal(0.5, 1.4)
    assert levels.quantile(0.5) == pytest.approx(math.exp(0.5))
    for p in (0.1, 0.9):
        assert (math.log(levels.quantile(p)) - 0.5) / 1.4 == pytest.approx(NormalDist().inv_cdf(p))
    assert levels.quantile(0.975) == pytest.approx(math.exp(0.5 + 1.4 * 1.959964), rel=1e-5)
    with pytest.raises(ValueError):
        levels.quantile(1.0)


def test_log_normal_draws_have_the_moments_and_quantiles():
    generator, levels = torch.Generator().manual_seed(0), LogNormal(0.5, 1.4)
    draws = torch.stack([levels.draw(generator) for _ in range(4000)])
    assert draws.log().mean().item() == pytest.approx(0.5, abs=0.1)
    assert draws.log().std().item() == pytest.approx(1.4, abs=0.07)
    assert (draws < levels.quantile(0.2)).float().mean().item() == pytest.approx(0.2, abs=0.03)


def test_noise_is_standard_normal_and_independent():
    noise = IndependentNoise().draw((2, 4, 32, 32), torch.Generator().manual_seed(0))
    assert noise.mean().item() == pytest.approx(0, abs=0.05) and noise.std().item() == pytest.approx(1, abs=0.05)
    assert torch.corrcoef(noise.flatten(1))[0, 1].abs() < 0.06


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="std"):
        LogNormal(0.0, 0.0)
    with pytest.raises(ValueError, match="sigma_data"):
        EdmWeight(-1.0)
    with pytest.raises(ValueError, match="sigma_data"):
        EdmPreconditioning(0.0)


def test_yaml_replaces_one_part(tmp_path):
    parser = ArgumentParser()
    parser.add_argument("--config", action="config")
    parser.add_argument("--objective", type=Objective, default=Objective())
    (tmp_path / "stage.yaml").write_text(
        "objective:\n  sigma:\n    class_path: training.objective.LogNormal\n    init_args: {mean: 0.5, std: 1.4}\n"
    )
    read = parser.parse_args([f"--config={tmp_path / 'stage.yaml'}"])
    assert parser.instantiate(read).objective == Objective(sigma=LogNormal(0.5, 1.4))
    assert "LogNormal" in parser.dump(read)
