"""Guidance against its formula, frame by frame."""

import pytest
import torch

from training.guidance import ConstantGuidance, LinearGuidance, guided

GENERATOR = torch.Generator().manual_seed(0)
CONDITIONAL, UNCONDITIONAL = torch.randn(2, 2, 4, 3, 5, 5, generator=GENERATOR)
SIGMA = torch.ones(2)


def never(noisy, sigma):
    raise AssertionError("was called")


def test_weights_of_each_frame():
    assert ConstantGuidance(3.0).weights(3).tolist() == [3.0, 3.0, 3.0]
    assert LinearGuidance().weights(4).tolist() == pytest.approx([1.0, 1.5, 2.0, 2.5])
    assert LinearGuidance(1.0, 2.5).weights(1).tolist() == [1.0]


@pytest.mark.parametrize("guidance", [ConstantGuidance(4.0), LinearGuidance(1.0, 3.0), ConstantGuidance(0.0)])
def test_each_frame_is_pushed_by_its_own_weight(guidance):
    combined = guidance.combine(CONDITIONAL, UNCONDITIONAL)
    for frame, weight in enumerate(guidance.weights(4).tolist()):
        c, u = CONDITIONAL[:, frame], UNCONDITIONAL[:, frame]
        assert torch.allclose(combined[:, frame], u + weight * (c - u), atol=1e-6)


def test_no_guidance_is_the_conditional_estimate_alone():
    denoise = guided(ConstantGuidance(1.0), lambda noisy, sigma: CONDITIONAL, never)
    assert denoise(CONDITIONAL * 0, SIGMA) is CONDITIONAL
    assert torch.allclose(ConstantGuidance(1.0).combine(CONDITIONAL, UNCONDITIONAL), CONDITIONAL, atol=1e-6)


def test_both_estimates_see_the_same_input():
    def conditional(noisy, sigma):
        return 3 * noisy + sigma[0]

    def unconditional(noisy, sigma):
        return noisy - sigma[0]

    x = CONDITIONAL
    denoise = guided(ConstantGuidance(2.0), conditional, unconditional)
    assert torch.allclose(denoise(x, SIGMA), (x - 1) + 2 * ((3 * x + 1) - (x - 1)), atol=1e-5)


def test_precision_stays_that_of_the_estimates():
    assert LinearGuidance().combine(CONDITIONAL.half(), UNCONDITIONAL.half()).dtype == torch.float16
