"""Continuous distributions of noise levels against closed forms, the papers' formulas and diffusers."""

import math
from statistics import NormalDist

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.training_utils import compute_density_for_timestep_sampling

from training.objective import LogitNormal, LogNormal, SigmaDistribution, UniformTime


def drawn(levels: SigmaDistribution, number: int = 4000) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([levels.draw(generator) for _ in range(number)])
    assert draws.dtype == torch.float32 and draws.min() > 0 and draws.isfinite().all()
    return draws


def test_log_normal_quantiles_are_those_of_the_normal():
    levels = LogNormal(0.5, 1.4)
    assert levels.quantile(0.5) == pytest.approx(math.exp(0.5))
    for p in (0.1, 0.9):
        assert (math.log(levels.quantile(p)) - 0.5) / 1.4 == pytest.approx(NormalDist().inv_cdf(p))
    assert levels.quantile(0.975) == pytest.approx(math.exp(0.5 + 1.4 * 1.959964), rel=1e-5)


def test_log_normal_draws_have_the_moments():
    draws = drawn(LogNormal(0.5, 1.4))
    assert draws.log().mean().item() == pytest.approx(0.5, abs=0.1)
    assert draws.log().std().item() == pytest.approx(1.4, abs=0.07)


@pytest.mark.parametrize(
    "levels",
    [LogNormal(0.5, 1.4), LogitNormal(logit_mean=-0.3, logit_std=0.8, shift=2), UniformTime(), UniformTime(shift=3)],
)
def test_draws_stay_below_a_quantile_as_often_as_it_says(levels):
    draws = drawn(levels)
    for p in (0.05, 0.2, 0.5, 0.9):  # deviation at most 0.008
        assert (draws < levels.quantile(p)).float().mean().item() == pytest.approx(p, abs=0.03)
    for p in (0.0, 1.0):
        with pytest.raises(ValueError):
            levels.quantile(p)


def test_logit_normal_time_has_the_density_of_sd3():
    mean, std, width = 0.4, 0.7, 0.05
    sigma = drawn(LogitNormal(logit_mean=mean, logit_std=std), 20000)
    time = sigma / (1 + sigma)
    for t in (0.2, 0.5, 0.7, 0.9):
        logit = math.log(t / (1 - t))  # SD3, eq. 19
        density = math.exp(-((logit - mean) ** 2) / (2 * std**2)) / (std * math.sqrt(2 * math.pi) * t * (1 - t))
        share = ((time - t).abs() < width / 2).float().mean().item() / width
        assert share == pytest.approx(density, abs=0.12)


@pytest.mark.parametrize(
    ("scheme", "levels"),
    [("logit_normal", LogitNormal(logit_mean=0.3, logit_std=1.2)), ("none", UniformTime())],
)
def test_times_are_those_that_diffusers_draws(scheme, levels):
    for seed in range(5):
        theirs = compute_density_for_timestep_sampling(
            scheme, 1, logit_mean=0.3, logit_std=1.2, generator=torch.Generator().manual_seed(seed)
        )
        sigma = levels.draw(torch.Generator().manual_seed(seed))
        assert (sigma / (1 + sigma)).item() == pytest.approx(theirs.item(), rel=1e-5)


def test_logit_normal_is_log_normal():
    ours, same = LogitNormal(logit_mean=0.3, logit_std=1.2, shift=3), LogNormal(0.3 + math.log(3), 1.2)
    assert torch.allclose(drawn(ours, 50), drawn(same, 50), rtol=1e-5)
    assert ours.quantile(0.3) == pytest.approx(same.quantile(0.3))


@pytest.mark.parametrize("shift", [0.5, 1.0, 3.0])
def test_the_shift_of_time_is_that_of_sd3_and_of_diffusers(shift):
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=10, shift=shift)  # its t: 1, 0.9, ..., 0.1
    for index, t in enumerate((0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1), start=1):
        sigma = UniformTime(shift=shift).quantile(t)
        literal = shift * t / (1 + (shift - 1) * t)
        assert sigma / (1 + sigma) == pytest.approx(literal) == pytest.approx(scheduler.sigmas[index].item())


def test_the_shift_for_size_is_that_of_open_sora():
    height, width, num_frames, t = 720, 1280, 51, 0.3
    ratio = math.sqrt(height * width / 512**2) * math.sqrt(num_frames // 17 * 5 / 1)  # its timestep_transform, scale 1
    literal = ratio * t / (1 + (ratio - 1) * t)
    levels = UniformTime(base_tokens=64 * 64).for_shape((15, 4, 90, 160))
    sigma = levels.quantile(t)
    assert sigma / (1 + sigma) == pytest.approx(literal)
    assert UniformTime(shift=2, base_tokens=64 * 64).for_shape((1, 4, 64, 64)) == UniformTime(shift=2)
    assert LogitNormal().for_shape((15, 4, 90, 160)) == LogitNormal()


def test_uniform_time_never_reaches_its_ends(monkeypatch):
    for value in (0.0, 1.0):
        monkeypatch.setattr(torch, "rand", lambda *_, value=value, **__: torch.tensor(value))
        sigma = UniformTime().draw(torch.Generator())
        assert 0 < sigma.item() < 2e6
    assert UniformTime().quantile(1 - 1e-12) < 2e6


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (LogNormal, {"std": 0.0}),
        (LogitNormal, {"logit_std": 0.0}),
        (LogitNormal, {"shift": 0.0}),
        (UniformTime, {"shift": -1.0}),
        (UniformTime, {"base_tokens": 0}),
    ],
)
def test_wrong_settings_are_refused_by_name(kind, fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        kind(**fields)
