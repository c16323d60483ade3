"""Heun's method against a literal transcription of EDM's algorithms and diffusers' scheduler; churn by statistics."""

import math

import pytest
import torch

from training.sampler import EulerSampler, HeunSampler

NOISE = torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def estimate(noisy, sigma):
    return torch.sin(noisy / (1 + torch.as_tensor(sigma).double().reshape(-1, 1, 1, 1, 1)))


def algorithm_2(x, t, n, s_churn, s_tmin, s_tmax, s_noise, draws):
    """EDM, algorithm 2, line by line; x_0 is given."""
    for i in range(n):
        epsilon = s_noise * next(draws)
        gamma = min(s_churn / n, math.sqrt(2) - 1) if s_tmin <= t[i] <= s_tmax else 0.0
        t_hat = t[i] + gamma * t[i]
        x_hat = x + math.sqrt(t_hat**2 - t[i] ** 2) * epsilon
        d = (x_hat - estimate(x_hat, t_hat)) / t_hat
        x = x_hat + (t[i + 1] - t_hat) * d
        if t[i + 1] != 0:
            d_prime = (x - estimate(x, t[i + 1])) / t[i + 1]
            x = x_hat + (t[i + 1] - t_hat) * (d / 2 + d_prime / 2)
    return x


@pytest.mark.parametrize("n", [1, 2, 9])
def test_heun_is_algorithm_1(n):
    sampler = HeunSampler(n)
    start = NOISE * (1 + sampler.sigma_max**2) ** 0.5
    literal = algorithm_2(start, sampler.sigmas().tolist(), n, 0, 0, 0, 0, iter(torch.zeros(n)))
    assert torch.allclose(sampler.sample(estimate, NOISE), literal, atol=1e-5)
    if n > 1:
        assert not torch.allclose(EulerSampler(n).sample(estimate, NOISE), literal, atol=1e-2)


@pytest.mark.parametrize(("churn", "low", "high"), [(3.0, 0.0, None), (40.0, 0.05, 50.0), (2.0, 0.5, 5.0)])
def test_churn_is_algorithm_2(churn, low, high):
    sampler = HeunSampler(9, churn=churn, churn_from=low, churn_to=high, churn_scale=1.003)
    levels, draws = sampler.sigmas().tolist(), torch.randn(9, *NOISE.shape, dtype=torch.float64)
    taken = [low <= level <= (high or math.inf) for level in levels[:-1]]
    fresh = iter([draw for draw, is_taken in zip(draws, taken, strict=True) if is_taken])
    start = NOISE * (1 + 80.0**2) ** 0.5
    literal = algorithm_2(start, levels, 9, churn, low, high or math.inf, 1.003, iter(draws))
    ours = sampler.sample(estimate, NOISE, lambda: next(fresh))
    assert torch.allclose(ours, literal, atol=1e-5) and next(fresh, None) is None and sum(taken) > 0
    assert not torch.allclose(HeunSampler(9).sample(estimate, NOISE), literal, atol=1e-2)


def test_heun_is_that_of_diffusers():
    from diffusers import HeunDiscreteScheduler

    scheduler = HeunDiscreteScheduler(beta_schedule="scaled_linear", use_karras_sigmas=True)
    scheduler.set_timesteps(8)
    first, last = float(scheduler.sigmas[0]), float(scheduler.sigmas[-2])
    start = NOISE.float() * (1 + first**2) ** 0.5
    theirs = start
    for timestep in scheduler.timesteps:
        scheduler.scale_model_input(theirs, timestep)
        sigma = scheduler.sigmas[scheduler.step_index]
        noise = (theirs - estimate(theirs, sigma).float()) / sigma
        theirs = scheduler.step(noise, timestep, theirs).prev_sample  # pyright: ignore[reportAttributeAccessIssue]
    sampler = HeunSampler(8, sigma_min=last, sigma_max=first)
    assert torch.allclose(sampler.sigmas()[:-1], scheduler.sigmas[[0, *range(1, 15, 2)]], rtol=1e-5)
    assert torch.allclose(sampler.sample(estimate, NOISE.float()).float(), theirs.float(), atol=1e-4)


@pytest.mark.parametrize("churn", [0.0, 5.0, 40.0])
def test_churn_keeps_the_spread_of_the_data(churn):
    generator, spread = torch.Generator().manual_seed(1), 0.7

    def ideal(noisy, sigma):
        return 0.3 + (noisy - 0.3) * (spread**2 / (spread**2 + sigma**2)).reshape(-1, 1, 1, 1, 1)

    def fresh():
        return torch.randn(1, 1, 1, 200, 200, generator=generator)

    samples = HeunSampler(200, churn=churn).sample(ideal, fresh(), fresh)
    # 40,000 numbers: the mean has a standard error of 0.0035, the deviation of 0.0025
    assert samples.mean().item() == pytest.approx(0.3, abs=0.014)
    assert samples.std().item() == pytest.approx(spread, abs=0.01)


def test_churn_takes_its_noise_from_outside():
    with pytest.raises(ValueError, match="churn"):
        HeunSampler(3, churn=1.0).sample(estimate, NOISE)
    HeunSampler(3, churn=1.0, churn_from=100.0).sample(estimate, NOISE)  # above all levels: none is needed


@pytest.mark.parametrize(
    "fields",
    [{"churn": -1.0}, {"churn_from": -0.1}, {"churn_scale": -1.0}, {"churn_to": 0.1, "churn_from": 0.2}, {"rho": 0.0}],
)
def test_wrong_settings_are_refused_by_name(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        HeunSampler(**fields)
