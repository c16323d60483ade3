"""Samplers against EDM's formulas, closed forms, and the order of their methods; Euler against diffusers' scheduler."""

import math
from itertools import pairwise

import pytest
import torch

from training.conditioning import Conditions
from training.objective import Objective
from training.sampler import DpmSolverSampler, EulerSampler, HeunSampler

NOISE = torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def test_schedule_is_equation_5():
    n, low, high, rho = 6, 0.002, 80.0, 7.0
    literal = [(high ** (1 / rho) + i / (n - 1) * (low ** (1 / rho) - high ** (1 / rho))) ** rho for i in range(n)]
    sigmas = EulerSampler(n, low, high, rho).sigmas()
    assert sigmas.dtype == torch.float32
    assert sigmas.tolist() == pytest.approx([*literal, 0.0], rel=1e-5)


def test_one_step_goes_from_the_first_level_to_none():
    assert EulerSampler(num_steps=1).sigmas().tolist() == pytest.approx([80.0, 0.0])


def test_noise_starts_with_the_deviation_of_noisy_data():
    seen = []
    EulerSampler(num_steps=1, sigma_min=0.1, sigma_max=1.0).sample(
        lambda noisy, sigma: seen.append(noisy) or noisy, NOISE
    )
    assert torch.allclose(seen[0], NOISE * 2**0.5)


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_gaussian_data_come_out_with_their_spread(spread):
    def ideal(noisy, sigma):
        return noisy * (spread**2 / (spread**2 + sigma**2))[:, None, None, None, None]

    samples = EulerSampler(num_steps=500).sample(ideal, NOISE)
    # the exact flow shrinks by spread / sqrt(spread^2 + sigma^2) and so keeps every sample's direction
    exact = NOISE * (1 + 80.0**2) ** 0.5 * spread / (spread**2 + 80.0**2) ** 0.5
    assert torch.allclose(samples, exact, rtol=0.02)
    assert (samples / NOISE).mean().item() == pytest.approx(spread, rel=0.02)


def test_the_last_step_gives_the_estimate():
    assert torch.allclose(
        EulerSampler().sample(lambda noisy, sigma: torch.full_like(noisy, 0.25), NOISE), NOISE * 0 + 0.25
    )


def test_each_call_gets_the_level_of_its_step():
    seen = []
    EulerSampler(num_steps=4).sample(lambda noisy, sigma: seen.append(sigma) or noisy * 0, NOISE)
    assert torch.equal(torch.stack(seen), EulerSampler(num_steps=4).sigmas()[:-1, None].expand(4, 2))


def test_samples_are_those_of_diffusers():
    from diffusers import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler(
        prediction_type="v_prediction", timestep_type="continuous", timestep_spacing="leading",
        use_karras_sigmas=True, sigma_min=0.002, sigma_max=700.0,
    )  # fmt: skip
    scheduler.set_timesteps(5)

    def network(noisy, c_noise, conditions=None):
        return torch.sin(2 * noisy + c_noise.reshape(-1, 1, 1, 1, 1))

    theirs = NOISE * scheduler.init_noise_sigma
    for c_noise in scheduler.timesteps:
        raw = network(scheduler.scale_model_input(theirs, c_noise), c_noise)
        theirs = scheduler.step(raw, c_noise, theirs).prev_sample
    sampler, conditions = EulerSampler(num_steps=5, sigma_max=700.0), Conditions(NOISE[0, 0], NOISE[0, 0])
    ours = sampler.sample(lambda noisy, sigma: Objective().denoise(network, noisy, sigma, conditions), NOISE)
    assert torch.allclose(sampler.sigmas(), scheduler.sigmas, rtol=1e-5)
    assert torch.allclose(ours, theirs, atol=2e-3) and theirs.std() > 0.1


MEAN, SPREAD = 0.3, 0.7


def gaussian(noisy, sigma):
    """The ideal estimate for data of N(MEAN, SPREAD^2)."""
    share = SPREAD**2 / (SPREAD**2 + sigma.double() ** 2)
    return MEAN + (noisy - MEAN) * share[:, None, None, None, None]


def error(sampler):
    """Root of the mean squared distance from where the flow of Gaussian data really ends."""
    noise = NOISE.double()
    start = noise * (1 + sampler.sigma_max**2) ** 0.5
    exact = MEAN + (start - MEAN) * SPREAD / math.sqrt(SPREAD**2 + sampler.sigma_max**2)
    return (sampler.sample(gaussian, noise) - exact).square().mean().sqrt().item()


@pytest.mark.parametrize(("sampler", "order"), [(EulerSampler, 1), (HeunSampler, 2), (DpmSolverSampler, 2)])
def test_errors_shrink_with_the_order_of_the_method(sampler, order):
    # the last step, to level 0, errs by sigma_min^2 / 2 whatever the number of steps
    steps = [64, 128, 256]
    errors = [error(sampler(num_steps=n, sigma_min=1e-4)) for n in steps]
    slopes = [math.log2(errors[i] / errors[i + 1]) for i in range(2)]
    assert slopes == pytest.approx([order] * 2, abs=0.15)


def test_second_order_is_nearer_at_equal_calls_of_the_denoiser():
    euler = error(EulerSampler(num_steps=255))
    assert error(HeunSampler(num_steps=128)) < euler / 5
    assert error(DpmSolverSampler(num_steps=255)) < euler / 5


@pytest.mark.parametrize(
    ("sampler", "calls"), [(EulerSampler(5), 5), (HeunSampler(5), 9), (DpmSolverSampler(5), 5), (HeunSampler(1), 1)]
)
def test_calls_of_the_denoiser(sampler, calls):
    seen = []
    sampler.sample(lambda noisy, sigma: seen.append(sigma.dtype) or noisy * 0, NOISE.half())
    assert seen == [torch.float32] * calls


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("sampler", [EulerSampler(6), HeunSampler(6), DpmSolverSampler(6), HeunSampler(6, churn=2)])
def test_precision_stays_that_of_the_noise(sampler, dtype):
    samples = sampler.sample(lambda noisy, sigma: gaussian(noisy, sigma), NOISE.to(dtype), lambda: NOISE)
    assert samples.dtype == dtype and samples.isfinite().all()


def test_euler_gives_what_it_gave_before_there_were_others():
    def estimate(noisy, sigma):
        return torch.sin(noisy + sigma[:, None, None, None, None])

    sampler = EulerSampler(7)
    levels = sampler.sigmas().tolist()
    x = NOISE * (1 + levels[0] ** 2) ** 0.5
    for level, following in pairwise(levels):
        x = x + (x - estimate(x, x.new_full((len(x),), level))) / level * (following - level)
    assert torch.equal(sampler.sample(estimate, NOISE), x)


@pytest.mark.parametrize(
    "fields", [{"num_steps": 0}, {"sigma_min": 0.0}, {"sigma_min": 90.0}, {"sigma_max": 0.001}, {"rho": 0.0}]
)
def test_wrong_settings_are_refused_by_name(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        EulerSampler(**fields)
