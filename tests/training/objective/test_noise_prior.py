"""Noise priors: their covariance exactly, from what each draw is made of, and by statistics.

A draw is linear in standard normal numbers, so its response to each of them by itself gives the covariance: A A^T.
"""

import math

import pytest
import torch

from training.objective import IndependentNoise, MixedNoise, NoisePrior, OffsetNoise, ProgressiveNoise

SHAPE = (5, 2, 2, 3)
PRIORS = [
    IndependentNoise(),
    OffsetNoise(0.5),
    OffsetNoise(0.5, shared_over_frames=False),
    MixedNoise(0.7),
    ProgressiveNoise(1.5),
]


def response(prior: NoisePrior, monkeypatch, which: int) -> tuple[torch.Tensor, int]:
    """The draw where the normal number `which` is 1 and all others 0; how many there are."""
    taken = 0

    def randn(shape, **_):
        nonlocal taken
        numbers = torch.zeros(math.prod(shape))
        if taken <= which < taken + len(numbers):
            numbers[which - taken] = 1
        taken += len(numbers)
        return numbers.reshape(shape)

    monkeypatch.setattr(torch, "randn", randn)
    return prior.draw(SHAPE, torch.Generator()).flatten(), taken


def covariance(prior: NoisePrior, monkeypatch) -> torch.Tensor:
    """(T, C HW, T, C HW), exact."""
    number = response(prior, monkeypatch, 0)[1]
    columns = torch.stack([response(prior, monkeypatch, which)[0] for which in range(number)], 1)
    return (columns @ columns.T).reshape(5, 12, 5, 12)


def test_each_number_has_variance_1(monkeypatch):
    for prior in PRIORS:
        assert torch.allclose(covariance(prior, monkeypatch).reshape(60, 60).diagonal(), torch.ones(60))


def test_independent_noise_has_no_covariance(monkeypatch):
    assert torch.equal(covariance(IndependentNoise(), monkeypatch).reshape(60, 60), torch.eye(60))


def test_mixed_noise_is_that_of_pyoco(monkeypatch):
    alpha = 0.7
    shared = torch.full((5, 1), math.sqrt(alpha**2 / (1 + alpha**2)))  # eps_shared ~ N(0, alpha^2 / (1 + alpha^2))
    own = math.sqrt(1 / (1 + alpha**2)) * torch.eye(5)  # eps_ind ~ N(0, 1 / (1 + alpha^2))
    frames = torch.cat([shared, own], 1)
    literal = torch.einsum("st,pq->sptq", frames @ frames.T, torch.eye(12))
    assert torch.allclose(covariance(MixedNoise(alpha), monkeypatch), literal, atol=1e-6)
    assert literal[0, 3, 4, 3].item() == pytest.approx(alpha**2 / (1 + alpha**2))


def test_progressive_noise_is_that_of_pyoco(monkeypatch):
    alpha = 1.5
    frames = torch.eye(5)
    for i in range(1, 5):  # eps^i = alpha / sqrt(1 + alpha^2) eps^(i-1) + N(0, 1 / (1 + alpha^2))
        frames[i] = alpha / math.sqrt(1 + alpha**2) * frames[i - 1] + math.sqrt(1 / (1 + alpha**2)) * torch.eye(5)[i]
    literal = torch.einsum("st,pq->sptq", frames @ frames.T, torch.eye(12))
    assert torch.allclose(covariance(ProgressiveNoise(alpha), monkeypatch), literal, atol=1e-6)
    for gap in range(5):
        assert literal[0, 3, gap, 3].item() == pytest.approx((alpha / math.sqrt(1 + alpha**2)) ** gap)


@pytest.mark.parametrize("shared", [True, False])
def test_offset_noise_is_a_constant_a_channel(monkeypatch, shared):
    strength, literal = 0.5, torch.zeros(5, 2, 6, 5, 2, 6)
    for s in range(5):
        for t in range(5):
            for c in range(2):
                literal[s, c, :, t, c, :] += strength**2 * (shared or s == t)
    literal = (literal.reshape(60, 60) + torch.eye(60)) / (1 + strength**2)
    ours = covariance(OffsetNoise(strength, shared), monkeypatch).reshape(60, 60)
    assert torch.allclose(ours, literal, atol=1e-6)


def test_offset_noise_is_the_published_line_over_its_deviation():
    generator = torch.Generator().manual_seed(3)
    literal = torch.randn(SHAPE, generator=generator) + 0.1 * torch.randn((1, 2, 1, 1), generator=generator)
    ours = OffsetNoise(0.1).draw(SHAPE, torch.Generator().manual_seed(3))
    assert torch.allclose(ours, literal / math.sqrt(1.01))


def test_strength_0_is_independent_noise():
    plain = IndependentNoise().draw(SHAPE, torch.Generator().manual_seed(3))
    for prior in (OffsetNoise(0.0), MixedNoise(0.0), ProgressiveNoise(0.0)):
        assert torch.equal(prior.draw(SHAPE, torch.Generator().manual_seed(3)), plain)


@pytest.mark.parametrize(
    ("prior", "near", "far"),
    [
        (IndependentNoise(), 0, 0),
        (OffsetNoise(1.0), 0.5, 0.5),
        (OffsetNoise(1.0, shared_over_frames=False), 0, 0),
        (MixedNoise(), 0.5, 0.5),
        (ProgressiveNoise(), 0.894427, 0.8),  # 2 / sqrt(5) and its square
    ],
)
def test_draws_have_the_correlation_between_frames(prior, near, far):
    noise = prior.draw((3, 20000, 2, 1), torch.Generator().manual_seed(0))
    assert noise.shape == (3, 20000, 2, 1) and noise.dtype == torch.float32
    assert noise.mean((1, 2, 3)).abs().max() < 0.03  # deviation at most 0.007
    table = noise.flatten(1).cov()
    assert table.diagonal().tolist() == pytest.approx([1, 1, 1], abs=0.03)
    assert [table[0, 1].item(), table[1, 2].item(), table[0, 2].item()] == pytest.approx([near, near, far], abs=0.03)


@pytest.mark.parametrize("shared", [True, False])
def test_draws_of_offset_noise_have_the_correlation_within_a_channel(shared):
    noise = OffsetNoise(1.0, shared).draw((2, 20000, 2, 1), torch.Generator().manual_seed(0))
    for frame in noise:
        assert frame.flatten(1).T.cov()[0, 1].item() == pytest.approx(0.5, abs=0.03)
    assert noise[0].roll(1, 0).flatten().dot(noise[0].flatten()).abs() / 40000 < 0.03  # none between channels


def test_a_picture_gets_plain_noise_of_the_correlated_priors():
    for prior in (MixedNoise(), ProgressiveNoise()):
        noise = prior.draw((1, 4, 64, 64), torch.Generator().manual_seed(0))
        assert noise.std().item() == pytest.approx(1, abs=0.03) and noise.mean().abs() < 0.03


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="strength"):
        OffsetNoise(-0.1)
    for kind in (MixedNoise, ProgressiveNoise):
        with pytest.raises(ValueError, match="alpha"):
            kind(-1.0)
