"""Weights against the papers' formulas, and what they are of the network's own error."""

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr

from training.conditioning import Conditions
from training.objective import (
    DiscreteVPreconditioning,
    EdmPreconditioning,
    EdmWeight,
    EpsilonPreconditioning,
    EpsilonWeight,
    FlowPreconditioning,
    FlowWeight,
    LinearSchedule,
    MinSnrWeight,
    Objective,
    ScaledLinearSchedule,
    VPreconditioning,
)

CONDITIONS = Conditions(torch.zeros(3, 1, 1), torch.zeros(3, 0))
SIGMA = torch.tensor([0.05, 1.3, 60.0])
SHAPE = (3, 2, 4, 3, 5)


def normal(seed: int) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def test_edm_weight_is_table_1():
    data = 0.5
    for index, sigma in enumerate(SIGMA.tolist()):
        literal = (sigma**2 + data**2) / (sigma * data) ** 2
        assert EdmWeight(data)(SIGMA)[index].item() == pytest.approx(literal, rel=1e-5)


def test_the_default_weight_is_that_of_svd():
    assert torch.allclose(EdmWeight()(SIGMA), (1 + SIGMA**2) / SIGMA**2)


def test_the_default_weight_is_that_of_cogvideox():
    alpha_bar = 1 / (1 + SIGMA.double() ** 2)
    assert torch.allclose(EdmWeight()(SIGMA).double(), 1 / (1 - alpha_bar), rtol=1e-5)


@pytest.mark.parametrize(
    ("preconditioning", "weight"),
    [
        (VPreconditioning(), EdmWeight()),
        (EdmPreconditioning(0.5), EdmWeight(0.5)),
        (EpsilonPreconditioning(LinearSchedule()), EpsilonWeight()),
        (FlowPreconditioning(), FlowWeight()),
    ],
)
def test_the_weight_of_a_family_makes_the_loss_the_plain_error_of_its_prediction(preconditioning, weight):
    assert torch.allclose(weight(SIGMA) * preconditioning(SIGMA).c_out ** 2, torch.ones(3), rtol=1e-5)


def test_the_loss_of_rectified_flow_is_the_plain_error_of_the_velocity():
    clean, noise, raw = normal(1), normal(2), normal(3)
    loss = Objective(FlowPreconditioning(), weight=FlowWeight()).loss(lambda *_: raw, clean, SIGMA, noise, CONDITIONS)
    assert torch.allclose(loss, (raw - (noise - clean)).square().mean((1, 2, 3, 4)), rtol=1e-3)


def test_min_snr_is_that_of_the_paper():
    for gamma in (1.0, 5.0):
        literal = [min(1 / sigma**2, gamma) for sigma in SIGMA.tolist()]
        assert MinSnrWeight(gamma)(SIGMA).tolist() == pytest.approx(literal)


@pytest.mark.parametrize("gamma", [1.0, 5.0])
def test_min_snr_weighs_what_networks_predict_as_diffusers_does(gamma):
    scheduler = DDPMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    schedule, steps = ScaledLinearSchedule(), torch.tensor([20, 417, 999])
    sigma = torch.tensor(schedule.sigmas)[steps]
    clean, noise, raw = normal(1), normal(2), normal(3)
    snr = compute_snr(scheduler, steps)
    velocity = scheduler.get_velocity(clean, noise, steps)
    for kind, target, scale in [
        (EpsilonPreconditioning, noise, snr),
        (DiscreteVPreconditioning, velocity, snr + 1),
    ]:
        theirs = (raw - target).square().mean((1, 2, 3, 4)) * snr.clamp(max=gamma) / scale
        objective = Objective(kind(schedule), weight=MinSnrWeight(gamma))
        assert torch.allclose(objective.loss(lambda *_: raw, clean, sigma, noise, CONDITIONS), theirs, rtol=1e-3)


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="sigma_data"):
        EdmWeight(-1.0)
    with pytest.raises(ValueError, match="gamma"):
        MinSnrWeight(0.0)
