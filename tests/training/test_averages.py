"""Averages of several lengths: EDM2's profile against sums over all steps, and lengths put together afterwards."""

import numpy as np
import pytest
import torch
from torch import nn

from training.averages import Averages, check_lengths
from training.ema import Ema
from training.post_hoc import coefficients, combine, read_snapshots, write_snapshot
from training.power_ema import PowerEma, gamma


def walk(module, steps, generator):
    """An optimizer that wanders."""
    for _ in range(steps):
        with torch.no_grad():
            for weights in module.parameters():
                weights.add_(torch.randn(weights.shape, generator=generator))
        yield


@pytest.mark.parametrize("sigma_rel", [0.01, 0.05, 0.1, 0.25])
def test_the_exponent_gives_that_relative_width(sigma_rel):
    """The standard deviation of the density (g + 1) t^g on 0..1, by its moments."""
    g = gamma(sigma_rel)
    mean, square = (g + 1) / (g + 2), (g + 1) / (g + 3)
    assert np.sqrt(square - mean**2) == pytest.approx(sigma_rel, rel=1e-9)


def test_the_profile_is_that_of_the_powers_of_the_step():
    """What the recurrence does to step k of t: k^(g+1) - (k-1)^(g+1) over t^(g+1)."""
    module, generator = nn.Linear(3, 2), torch.Generator().manual_seed(0)
    ema, seen = PowerEma(module, 0.1), []
    for _ in walk(module, 50, generator):
        ema.update(module)
        seen.append(module.weight.detach().double().clone())
    powers = np.arange(51) ** (gamma(0.1) + 1)
    shares = torch.tensor(np.diff(powers) / powers[-1])
    assert shares.sum() == pytest.approx(1)
    literal = (shares[:, None, None] * torch.stack(seen)).sum(0)
    assert torch.allclose(ema.state_dict()["average"]["weight"].double(), literal, atol=1e-5)


def test_several_averages_are_each_the_one_alone_and_resume():
    module, generator = nn.Linear(3, 2), torch.Generator().manual_seed(0)
    averages, alone = Averages(module, [0.9, 0.5], [0.1]), [Ema(module, 0.9), Ema(module, 0.5), PowerEma(module, 0.1)]
    assert averages.first is averages.by_length["0.9"]
    for _ in walk(module, 10, generator):
        for each in (averages, *alone):
            each.update(module)
    raw = module.weight.clone()
    told = {length: weights["weight"].clone() for length, weights in averages.weights(module)}
    assert list(told) == ["0.9", "0.5", "0.1"] and torch.equal(module.weight, raw)
    for weights, ema in zip(told.values(), alone, strict=True):
        assert torch.equal(weights, ema.state_dict()["average"]["weight"])
    resumed = Averages(module, [0.9, 0.5], [0.1])
    resumed.load_state_dict(averages.state_dict())
    for each in (averages, resumed):
        each.update(module)
    for (_, left), (_, right) in zip(averages.weights(module), resumed.weights(module), strict=True):
        assert torch.equal(left["weight"], right["weight"])
    with pytest.raises(ValueError, match=r"lengths 0\.9, 0\.5, 0\.1, not 0\.9"):
        Averages(module, [0.9]).load_state_dict(averages.state_dict())


def test_factors_are_the_least_squares_of_the_profiles():
    """Against profiles laid out on a fine grid and NumPy's least squares."""
    times, gammas = [4.0, 4.0, 7.0, 7.0, 10.0, 10.0], [gamma(w) for w in (0.05, 0.1) * 3]
    grid = (np.arange(200_000) + 0.5) / 20_000  # 0..10
    laid = [
        np.where(grid < t, (g + 1) * np.minimum(grid / t, 1) ** g / t, 0) for t, g in zip(times, gammas, strict=True)
    ]
    wanted = gamma(0.15)
    target = (wanted + 1) * (grid / 10) ** wanted / 10
    literal = np.linalg.lstsq(np.stack(laid, 1), target, rcond=None)[0]
    assert coefficients(times, gammas, 10.0, wanted) == pytest.approx(literal, abs=1e-3)
    assert coefficients(times, gammas, 10.0, gammas[1]) == pytest.approx([0, 0, 0, 0, 0, 1], abs=1e-9)


def test_a_length_put_together_afterwards_is_the_one_tracked(tmp_path):
    module, generator = nn.Sequential(nn.Linear(20, 20), nn.BatchNorm1d(20)), torch.Generator().manual_seed(0)
    module[1].requires_grad_(False)
    kept, tracked = [PowerEma(module, width) for width in (0.05, 0.1)], PowerEma(module, 0.15)
    for step, _ in enumerate(walk(module[0], 1600, generator), 1):
        for ema in (*kept, tracked):
            ema.update(module)
        if step % 100 == 0:
            for ema in kept:
                write_snapshot(tmp_path, ema.state_dict()["average"], ema)
    stored = read_snapshots(tmp_path)
    assert len(stored) == 32 and stored[-1].num_updates == 1600
    factors = coefficients([s.num_updates for s in stored], [gamma(s.sigma_rel) for s in stored], 1600, gamma(0.15))
    made, there = combine([s.path for s in stored], factors), tracked.state_dict()["average"]
    error = (made["0.weight"] - there["0.weight"]).norm()
    apart = min((ema.state_dict()["average"]["0.weight"] - there["0.weight"]).norm() for ema in kept)
    assert error < 0.02 * apart
    assert torch.equal(made["1.weight"], module[1].weight) and made["1.num_batches_tracked"].dtype == torch.int64


@pytest.mark.parametrize(
    ("decays", "widths", "word"),
    [((), (), "at least one"), ((0.9, 0.9), (), "each once"), ((0.9, 1.0), (), "ema_decay"), ((), (0.3,), "sigma_rel")],
)
def test_lengths_that_do_not_exist(decays, widths, word):
    with pytest.raises(ValueError, match=word):
        check_lengths(decays, widths)
