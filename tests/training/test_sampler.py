"""The sampler against EDM's formula, a closed form and diffusers' scheduler."""

import pytest
import torch

from training.conditioning import Conditions
from training.objective import Objective
from training.sampler import EulerSampler

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


@pytest.mark.parametrize(
    "fields", [{"num_steps": 0}, {"sigma_min": 0.0}, {"sigma_min": 90.0}, {"sigma_max": 0.001}, {"rho": 0.0}]
)
def test_wrong_settings_are_refused_by_name(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        EulerSampler(**fields)
