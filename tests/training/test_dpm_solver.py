"""DPM-Solver++(2M) against a literal transcription of its paper and diffusers' schedulers."""

import math

import pytest
import torch

from training.conditioning import Conditions
from training.objective import Objective
from training.sampler import DpmSolverSampler, EulerSampler

NOISE = torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def estimate(noisy, sigma):
    return torch.sin(noisy / (1 + sigma.double().reshape(-1, 1, 1, 1, 1)))


def algorithm_2(x, sigma, n):
    """Lu et al. 2022, algorithm 2, with alpha = 1 and lambda = log(alpha / sigma); first order to sigma = 0."""
    alpha = 1.0
    lam = [math.log(alpha / s) for s in sigma[:-1]]
    q = {}
    for i in range(1, n + 1):
        q[i - 1] = estimate(x, torch.full((len(x),), sigma[i - 1]))
        if i == n:
            return q[i - 1]
        h = lam[i] - lam[i - 1]
        d = q[0]
        if i > 1:
            r = (lam[i - 1] - lam[i - 2]) / h
            d = (1 + 1 / (2 * r)) * q[i - 1] - 1 / (2 * r) * q[i - 2]
        x = sigma[i] / sigma[i - 1] * x - alpha * (math.exp(-h) - 1) * d
    return x


@pytest.mark.parametrize("n", [1, 2, 3, 20])
def test_steps_are_algorithm_2(n):
    sampler = DpmSolverSampler(n)
    literal = algorithm_2(NOISE * (1 + 80.0**2) ** 0.5, sampler.sigmas().tolist(), n)
    assert torch.allclose(sampler.sample(estimate, NOISE), literal, atol=1e-5)
    if n > 2:
        assert not torch.allclose(EulerSampler(n).sample(estimate, NOISE), literal, atol=1e-3)


@pytest.mark.parametrize("num_steps", [2, 5, 20])
@pytest.mark.parametrize("sigma_max", [80.0, 700.0])
def test_samples_are_those_of_diffusers(num_steps, sigma_max):
    from diffusers import EDMDPMSolverMultistepScheduler

    scheduler = EDMDPMSolverMultistepScheduler(sigma_data=1.0, sigma_max=sigma_max, prediction_type="v_prediction")
    scheduler.set_timesteps(num_steps)
    sampler = DpmSolverSampler(num_steps, sigma_max=sigma_max)
    assert torch.allclose(sampler.sigmas(), scheduler.sigmas, rtol=1e-5)

    def network(noisy, c_noise, conditions=None):
        return torch.sin(2 * noisy + c_noise.reshape(-1, 1, 1, 1, 1))

    # in float32 theirs cannot tell levels of 700 from each other better than 1e-5, so they are given ours
    scheduler.sigmas = sampler.sigmas()
    scheduler.timesteps = scheduler.precondition_noise(scheduler.sigmas[:-1])
    noise = NOISE.float()
    theirs = noise * scheduler.init_noise_sigma
    for c_noise in scheduler.timesteps:
        raw = network(scheduler.scale_model_input(theirs, c_noise), c_noise)
        theirs = scheduler.step(raw, c_noise, theirs).prev_sample  # pyright: ignore[reportAttributeAccessIssue]
    conditions = Conditions(noise[0, 0], noise[0, 0])
    ours = sampler.sample(lambda noisy, sigma: Objective().denoise(network, noisy, sigma, conditions), noise)
    assert torch.allclose(ours, theirs, atol=1e-5 * sigma_max / 80) and theirs.std() > 0.1
