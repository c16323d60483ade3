"""Networks that are told a step, and levels of steps, against DDPM's formulas and diffusers' scheduler."""

import math

import pytest
import torch
from diffusers import DDPMScheduler

from training.conditioning import Conditions
from training.objective import (
    CosineSchedule,
    DiscreteVPreconditioning,
    EpsilonPreconditioning,
    EpsilonWeight,
    LinearSchedule,
    Objective,
    ScaledLinearSchedule,
    ScheduledLevels,
)

CONDITIONS = Conditions(torch.zeros(3, 1, 1), torch.zeros(3, 0))
STABLE_DIFFUSION = ScaledLinearSchedule()
STEPS = torch.tensor([0, 417, 999])
SIGMA = torch.tensor(STABLE_DIFFUSION.sigmas)[STEPS]
SHAPE = (2, 4, 3, 5)


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def over(values: torch.Tensor) -> torch.Tensor:
    return values[:, None, None, None, None]


def theirs(prediction_type: str) -> DDPMScheduler:
    return DDPMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012,
        prediction_type=prediction_type, clip_sample=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "prediction_type"), [(EpsilonPreconditioning, "epsilon"), (DiscreteVPreconditioning, "v_prediction")]
)
def test_the_network_meets_what_it_meets_in_diffusers(kind, prediction_type):
    scheduler, clean, noise, raw = theirs(prediction_type), *(normal(seed, 3, *SHAPE) for seed in (1, 2, 3))
    noisy = scheduler.add_noise(clean, noise, STEPS)

    def network(seen, c_noise, _conditions):
        assert torch.allclose(seen, noisy, atol=1e-5)
        assert torch.allclose(c_noise, STEPS.float(), atol=1e-3)
        return raw

    estimate = Objective(kind(STABLE_DIFFUSION)).denoise(network, clean + over(SIGMA) * noise, SIGMA, CONDITIONS)
    for row, step in enumerate(STEPS.tolist()):
        expected = scheduler.step(raw[row], step, noisy[row]).pred_original_sample
        assert torch.allclose(estimate[row], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("step", [0, 417, 999])
def test_epsilon_is_that_of_ddpm(step):
    betas = [(0.00085**0.5 + i / 999 * (0.012**0.5 - 0.00085**0.5)) ** 2 for i in range(1000)]
    alpha_bar = math.prod(1 - beta for beta in betas[: step + 1])
    clean, noise, error = (normal(seed, 1, *SHAPE) for seed in (1, 2, 3))

    def network(seen, *_):
        assert torch.allclose(seen, alpha_bar**0.5 * clean + (1 - alpha_bar) ** 0.5 * noise, atol=1e-5)
        return noise + error

    sigma = torch.tensor([((1 - alpha_bar) / alpha_bar) ** 0.5])
    objective = Objective(EpsilonPreconditioning(STABLE_DIFFUSION), weight=EpsilonWeight())
    loss = objective.loss(network, clean, sigma, noise, CONDITIONS)  # Ho et al. 2020, eq. 14
    assert loss.item() == pytest.approx(error.square().mean().item(), rel=1e-3)


def test_the_loss_of_discrete_v_is_that_of_diffusers_velocity():
    scheduler, clean, noise, raw = theirs("v_prediction"), *(normal(seed, 3, *SHAPE) for seed in (1, 2, 3))
    velocity = scheduler.get_velocity(clean, noise, STEPS)
    loss = Objective(DiscreteVPreconditioning(STABLE_DIFFUSION)).loss(lambda *_: raw, clean, SIGMA, noise, CONDITIONS)
    assert torch.allclose(loss, (raw - velocity).square().mean((1, 2, 3, 4)), rtol=1e-3)


def test_without_signal_v_is_minus_the_data():
    schedule = ScaledLinearSchedule(snr_shift=3, zero_terminal_snr=True)
    objective = Objective(DiscreteVPreconditioning(schedule), ScheduledLevels(schedule))
    clean, noise, error = (normal(seed, 1, *SHAPE) for seed in (1, 2, 3))
    sigma = torch.tensor([schedule.sigmas[-1]])

    def network(seen, c_noise, _conditions):
        assert torch.allclose(seen, noise, atol=2e-3) and c_noise.item() == 999
        return error - clean

    assert objective.loss(network, clean, sigma, noise, CONDITIONS).item() == pytest.approx(
        error.square().mean().item(), rel=1e-3
    )


def test_epsilon_without_signal_is_refused():
    with pytest.raises(ValueError, match="zero_terminal_snr"):
        EpsilonPreconditioning(LinearSchedule(zero_terminal_snr=True))


def test_two_schedules_in_one_objective_are_refused():
    with pytest.raises(ValueError, match=r"sigma\.schedule"):
        Objective(EpsilonPreconditioning(LinearSchedule()), ScheduledLevels(CosineSchedule()))
    Objective(EpsilonPreconditioning(LinearSchedule()), ScheduledLevels(LinearSchedule()))


def test_each_step_is_drawn_as_often():
    levels, generator = ScheduledLevels(LinearSchedule(num_steps=8)), torch.Generator().manual_seed(0)
    draws = torch.stack([levels.draw(generator) for _ in range(8000)])
    assert draws.dtype == torch.float32 and draws.shape == (8000,)
    counts = [(draws == torch.tensor(sigma)).sum().item() for sigma in levels.schedule.sigmas]
    assert sum(counts) == 8000 and all(850 < count < 1150 for count in counts)  # deviation 30


def test_quantiles_of_scheduled_levels_are_their_shares():
    levels = ScheduledLevels(LinearSchedule(num_steps=8))
    sigmas = levels.schedule.sigmas
    assert [levels.quantile(p) for p in (0.001, 0.25, 0.5, 0.874, 0.999)] == [sigmas[i] for i in (0, 2, 4, 6, 7)]
    for p in (0.25, 0.5, 0.875):
        assert sum(sigma < levels.quantile(p) for sigma in sigmas) / 8 == p
    for p in (0.0, 1.0):
        with pytest.raises(ValueError, match="p must"):
            levels.quantile(p)
