"""The learning rate against its closed form; the optimizer holds what it is given."""

from itertools import pairwise

import pytest
import torch

from training.optimizer import Adam


@pytest.mark.parametrize("seen", [0, 1, 49, 98])
def test_the_rate_rises_linearly_from_its_first_step(seen):
    assert Adam(2e-3, warmup_samples=99).rate(seen) == pytest.approx(2e-3 * (seen + 1) / 100, rel=1e-12)


@pytest.mark.parametrize("seen", [99, 100, 10**9])
def test_the_rate_is_constant_from_the_end_of_warm_up(seen):
    assert Adam(2e-3, warmup_samples=99).rate(seen) == 2e-3


def test_without_warm_up_the_first_step_has_the_whole_rate():
    assert Adam(3e-4).rate(0) == Adam(3e-4).rate(7) == 3e-4


def test_the_rate_never_is_zero_falls_or_jumps():
    rates = [Adam(1.0, warmup_samples=20).rate(seen) for seen in range(25)]
    steps = [after - before for before, after in pairwise(rates)]
    assert rates[0] > 0 and min(steps) >= 0 and max(steps) == pytest.approx(1 / 21)


def test_it_holds_the_parameters_that_it_is_given_and_no_others():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    built = Adam(1e-3, weight_decay=0.05, betas=(0.8, 0.95)).build(weights for weights in model[1].parameters())
    (group,) = built.param_groups
    assert [id(held) for held in group["params"]] == [id(weights) for weights in model[1].parameters()]
    assert (group["lr"], group["weight_decay"], group["betas"]) == (1e-3, 0.05, (0.8, 0.95))


def test_weight_decay_is_decoupled():
    weights = torch.nn.Parameter(torch.tensor([5.0]))
    weights.grad = torch.zeros(1)
    Adam(0.1, weight_decay=0.5).build([weights]).step()
    assert weights.item() == pytest.approx(5.0 * (1 - 0.1 * 0.5))


@pytest.mark.parametrize("rate", [0.0, -1e-4])
def test_a_rate_that_learns_nothing_is_refused(rate):
    with pytest.raises(ValueError, match=f"learning_rate must be above 0, not {rate}"):
        Adam(learning_rate=rate)
