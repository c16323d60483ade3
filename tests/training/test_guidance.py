"""Guidance against its formulas, frame by frame and step by step."""

import math

import pytest
import torch

from training.guidance import (
    ConstantGuidance,
    DynamicGuidance,
    LinearGuidance,
    OscillatingGuidance,
    TriangularGuidance,
    combine,
    guided,
)
from training.sampler import DpmSolverSampler, EulerSampler, HeunSampler

GENERATOR = torch.Generator().manual_seed(0)
CONDITIONAL, UNCONDITIONAL = torch.randn(2, 2, 4, 3, 5, 5, generator=GENERATOR)
SIGMA = torch.ones(2)
LEVELS = torch.tensor([4.0, 2.0, 1.0, 0.5, 0.0])


def never(noisy, sigma):
    raise AssertionError("was called")


def test_weights_of_each_frame():
    assert ConstantGuidance(3.0).weights(3, 0, 9).tolist() == [3.0, 3.0, 3.0]
    assert LinearGuidance().weights(4, 8, 9).tolist() == pytest.approx([1.0, 1.5, 2.0, 2.5])
    assert LinearGuidance(1.0, 2.5).weights(1, 0, 9).tolist() == [1.0]
    assert TriangularGuidance(1.0, 3.0).weights(5, 0, 9).tolist() == pytest.approx([1.0, 2.0, 3.0, 2.0, 1.0])
    assert TriangularGuidance(1.0, 3.0).weights(1, 0, 9).tolist() == [1.0]


@pytest.mark.parametrize("num_frames", [1, 2, 4, 14, 21])
def test_triangle_is_the_wave_of_the_release(num_frames):
    values = torch.linspace(0, 1, num_frames)
    wave = 2 * (values / 1.0 - torch.floor(values / 1.0 + 0.5)).abs()  # sgm's guider, period 1
    literal = wave * (2.5 - 1.0) + 1.0
    assert torch.allclose(TriangularGuidance().weights(num_frames, 0, 9), literal, atol=1e-6)


def test_oscillation_begins_after_the_constant_steps():
    guidance = OscillatingGuidance(15.0, 1.0, num_constant=3)
    weights = [guidance.weights(2, step, 8) for step in range(8)]
    assert [pair.tolist() for pair in weights] == [[w, w] for w in [15, 15, 15, 1, 15, 1, 15, 1]]
    assert [OscillatingGuidance(num_constant=0).weights(1, step, 3).item() for step in range(3)] == [1, 15, 1]


def test_dynamic_guidance_is_the_formula_of_cogvideox():
    for step in range(50):
        literal = 1 + 6 * (1 - math.cos(math.pi * (step / 50) ** 5)) / 2
        assert DynamicGuidance().weights(3, step, 50).tolist() == pytest.approx([literal] * 3, rel=1e-6)
    rise = [DynamicGuidance(scale=4.0, exponent=1.0).weights(1, step, 4).item() for step in range(4)]
    assert rise == pytest.approx([1.0, 1 + 2 * (1 - 0.5**0.5), 3.0, 1 + 2 * (1 + 0.5**0.5)])


@pytest.mark.parametrize("guidance", [ConstantGuidance(4.0), LinearGuidance(1.0, 3.0), ConstantGuidance(0.0)])
def test_each_frame_is_pushed_by_its_own_weight(guidance):
    weights = guidance.weights(4, 0, 9)
    combined = combine(weights, CONDITIONAL, UNCONDITIONAL)
    for frame, weight in enumerate(weights.tolist()):
        c, u = CONDITIONAL[:, frame], UNCONDITIONAL[:, frame]
        assert torch.allclose(combined[:, frame], u + weight * (c - u), atol=1e-6)


def test_no_guidance_is_the_conditional_estimate_alone():
    denoise = guided(ConstantGuidance(1.0), LEVELS, lambda noisy, sigma: CONDITIONAL, never)
    assert denoise(CONDITIONAL * 0, SIGMA) is CONDITIONAL
    assert torch.allclose(combine(torch.ones(4), CONDITIONAL, UNCONDITIONAL), CONDITIONAL, atol=1e-6)


def test_both_estimates_see_the_same_input():
    def conditional(noisy, sigma):
        return 3 * noisy + sigma[0]

    def unconditional(noisy, sigma):
        return noisy - sigma[0]

    x = CONDITIONAL
    denoise = guided(ConstantGuidance(2.0), LEVELS, conditional, unconditional)
    assert torch.allclose(denoise(x, SIGMA), (x - 1) + 2 * ((3 * x + 1) - (x - 1)), atol=1e-5)


def test_precision_stays_that_of_the_estimates():
    assert combine(torch.ones(4) * 2, CONDITIONAL.half(), UNCONDITIONAL.half()).dtype == torch.float16


@pytest.mark.parametrize(
    ("sigma", "step"), [(5.0, 0), (4.0, 0), (3.9, 1), (2.0, 1), (1.5, 2), (1.0, 2), (0.5, 3), (0.1, 3), (0.0, 3)]
)
def test_the_level_tells_the_step(sigma, step):
    asked = []

    class Asking(ConstantGuidance):
        def weights(self, num_frames, step, num_steps):
            asked.append((num_frames, step, num_steps))
            return super().weights(num_frames, step, num_steps)

    guided(Asking(1.0), LEVELS, lambda noisy, sigma: noisy, never)(CONDITIONAL, torch.full((2,), sigma))
    assert asked == [(4, step, 4)]


@pytest.mark.parametrize(
    ("sampler", "steps"),
    [
        (EulerSampler(4), [0, 1, 2, 3]),
        (DpmSolverSampler(4), [0, 1, 2, 3]),
        (HeunSampler(4), [0, 1, 1, 2, 2, 3, 3]),
        (HeunSampler(4, churn=1.0), [0, 1, 1, 2, 2, 3, 3]),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_samplers_go_through_the_steps(sampler, steps, dtype):
    unguided = OscillatingGuidance(high=2.0, low=1.0, num_constant=1)  # step 1 and 3
    conditional, unconditional = [], []
    denoise = guided(
        unguided,
        sampler.sigmas(),
        lambda noisy, sigma: conditional.append(1) or noisy * 0,
        lambda noisy, sigma: unconditional.append(len(conditional) - 1) or noisy * 0,
    )
    noise = CONDITIONAL.to(dtype)
    sampler.sample(denoise, noise, lambda: noise)
    assert unconditional == [call for call, step in enumerate(steps) if step in (0, 2)]
    assert len(conditional) == len(steps)


@pytest.mark.parametrize(
    ("guidance", "fields"), [(OscillatingGuidance, {"num_constant": -1}), (DynamicGuidance, {"exponent": 0.0})]
)
def test_wrong_settings_are_refused_by_name(guidance, fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        guidance(**fields)
