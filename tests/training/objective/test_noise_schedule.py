"""Discrete schedules against the papers' formulas and diffusers' schedulers."""

import math
from itertools import pairwise

import pytest
import torch
from diffusers import CogVideoXDDIMScheduler, DDPMScheduler, EulerDiscreteScheduler
from diffusers.schedulers.scheduling_ddpm import rescale_zero_terminal_snr

from training.objective import CosineSchedule, LinearSchedule, NoiseSchedule, ScaledLinearSchedule

DIFFUSERS = [
    (LinearSchedule(), {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}),
    (ScaledLinearSchedule(), {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}),
    (CosineSchedule(), {"beta_schedule": "squaredcos_cap_v2"}),
]
SCHEDULES = [LinearSchedule, ScaledLinearSchedule, CosineSchedule]


def alphas_bar(schedule: NoiseSchedule) -> torch.Tensor:
    return 1 / (1 + torch.tensor(schedule.sigmas, dtype=torch.float64) ** 2)


@pytest.mark.parametrize(("schedule", "fields"), DIFFUSERS)
def test_levels_are_those_of_diffusers(schedule, fields):
    theirs = DDPMScheduler(**fields).alphas_cumprod
    assert torch.allclose(alphas_bar(schedule).float(), theirs, rtol=3e-3, atol=1e-6)  # theirs are float32 products
    assert torch.allclose(alphas_bar(schedule).float()[:900], theirs[:900], rtol=1e-4)


def test_betas_are_those_of_the_papers():
    steps, end, start = 10, 0.02, 0.0001
    linear = [start + i / (steps - 1) * (end - start) for i in range(steps)]
    assert LinearSchedule(num_steps=steps).betas() == pytest.approx(linear)
    roots = [0.00085**0.5 + i / (steps - 1) * (0.012**0.5 - 0.00085**0.5) for i in range(steps)]
    assert ScaledLinearSchedule(num_steps=steps).betas() == pytest.approx([root**2 for root in roots])


def test_the_cosine_is_equation_17():
    def f(t):
        return math.cos((t / 100 + 0.008) / 1.008 * math.pi / 2) ** 2

    literal = [f(t) / f(0) for t in range(1, 100)]
    assert alphas_bar(CosineSchedule(num_steps=100))[:99].tolist() == pytest.approx(literal, rel=1e-9)
    assert CosineSchedule(num_steps=100).betas()[-1] == 0.999  # f(T) is 0, which no product of steps can reach


def test_sigma_of_stable_diffusion_spans_what_is_known_of_it():
    sigmas = ScaledLinearSchedule().sigmas
    assert (sigmas[0], sigmas[-1]) == pytest.approx((0.0292, 14.6146), abs=1e-4)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_rescaling_is_algorithm_1(kind):
    betas = torch.tensor(kind().betas(), dtype=torch.float64)
    roots = (1 - betas).cumprod(0).sqrt()  # Lin et al. 2023, line by line
    first, last = roots[0].clone(), roots[-1].clone()
    roots -= last
    roots *= first / (first - last)
    ours = alphas_bar(kind(zero_terminal_snr=True))
    assert torch.allclose(ours[:-1], roots[:-1] ** 2, rtol=1e-9)
    theirs = (1 - rescale_zero_terminal_snr(betas)).cumprod(0)
    assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-7) and theirs[-1] == 0
    assert ours[0].item() == pytest.approx(1 - betas[0].item())


def test_without_signal_the_level_is_4096_as_in_diffusers():
    theirs = EulerDiscreteScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, rescale_betas_zero_snr=True
    )
    last, before = theirs.sigmas[:2].tolist()
    sigmas = ScaledLinearSchedule(zero_terminal_snr=True).sigmas
    assert sigmas[-1] == pytest.approx(4096, rel=1e-6) and sigmas[-1] == pytest.approx(last, rel=1e-5)
    assert sigmas[-2] == pytest.approx(before, rel=1e-2)


def test_without_signal_the_level_is_above_the_one_before():
    theirs = EulerDiscreteScheduler(beta_schedule="linear", rescale_betas_zero_snr=True).sigmas
    assert theirs[0] < 4097 < 15000 < theirs[1]  # theirs falls at the end
    sigmas = LinearSchedule(zero_terminal_snr=True).sigmas
    assert sigmas[-2] > 15000 and sigmas[-1] == pytest.approx(math.sqrt(2) * sigmas[-2], rel=1e-6)


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("num_steps", [2, 50, 1000, 20000])
@pytest.mark.parametrize("zero", [False, True])
def test_levels_rise_and_are_finite(kind, num_steps, zero):
    sigmas = kind(num_steps=num_steps, zero_terminal_snr=zero).sigmas
    assert len(sigmas) == num_steps and sigmas[0] > 0 and math.isfinite(sigmas[-1])
    assert all(low < high for low, high in pairwise(sigmas))


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_the_schedule_of_cogvideox_is_that_of_diffusers(shift):
    theirs = CogVideoXDDIMScheduler(snr_shift_scale=shift, rescale_betas_zero_snr=True).alphas_cumprod
    ours = alphas_bar(ScaledLinearSchedule(snr_shift=shift, zero_terminal_snr=True))
    assert torch.allclose(ours.float(), theirs.float(), rtol=1e-3, atol=1e-6)


def test_the_shift_divides_the_signal_to_noise_ratio():
    plain, shifted = torch.tensor(LinearSchedule().sigmas), torch.tensor(LinearSchedule(snr_shift=3).sigmas)
    assert torch.allclose(1 / shifted**2, 1 / plain**2 / 3)


@pytest.mark.parametrize(("schedule", "fields"), DIFFUSERS)
def test_a_level_of_the_schedule_stands_at_its_step(schedule, fields):
    sigmas = torch.tensor(schedule.sigmas)
    assert torch.allclose(schedule.step_of(sigmas), torch.arange(1000.0), atol=2e-3)
    assert torch.allclose(schedule.step_of(sigmas.reshape(50, 20))[3, 4], torch.tensor(64.0), atol=2e-3)


def test_between_steps_a_level_stands_where_diffusers_puts_it():
    theirs = EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    logs = ((1 - theirs.alphas_cumprod) / theirs.alphas_cumprod).sqrt().log().numpy()
    levels = torch.tensor([0.001, 0.03, 0.5, 1.0, 3.3, 14.0, 80.0])
    steps = ScaledLinearSchedule().step_of(levels)
    assert torch.allclose(steps, torch.tensor(theirs._sigma_to_t(levels.numpy(), logs)).float(), atol=1e-2)
    assert steps[0] == 0 and steps[-1] == 999  # outside the schedule: its ends


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        ("num_steps", {"num_steps": 1}),
        ("snr_shift", {"snr_shift": 0.0}),
        ("beta_start", {"beta_start": 0.0}),
        ("beta_end", {"beta_end": 1.0}),
        ("beta_end", {"beta_end": 1e-5}),
    ],
)
def test_wrong_settings_are_refused_by_name(key, fields):
    for kind in (LinearSchedule, ScaledLinearSchedule):
        with pytest.raises(ValueError, match=key):
            kind(**fields)
