"""v, EDM and rectified flow against the papers' formulas and diffusers' schedulers."""

import math

import pytest
import torch
from diffusers import EDMEulerScheduler, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler

from training.conditioning import Conditions
from training.objective import EdmPreconditioning, FlowPreconditioning, FlowWeight, Objective, VPreconditioning

CONDITIONS = Conditions(torch.zeros(3, 1, 1), torch.zeros(3, 0))
SIGMA = torch.tensor([0.01, 1.3, 60.0])
SHAPE = (2, 4, 3, 5)


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_v_preconditioning_is_that_of_svd():
    for index, sigma in enumerate(SIGMA.tolist()):
        literal = (
            1 / (sigma**2 + 1),
            -sigma / math.sqrt(sigma**2 + 1),
            1 / math.sqrt(sigma**2 + 1),
            0.25 * math.log(sigma),
        )
        assert [c[index].item() for c in VPreconditioning()(SIGMA)] == pytest.approx(literal, rel=1e-5)


def test_edm_preconditioning_is_table_1():
    data = 0.5
    for index, sigma in enumerate(SIGMA.tolist()):
        root = math.sqrt(sigma**2 + data**2)
        literal = (data**2 / (sigma**2 + data**2), sigma * data / root, 1 / root, math.log(sigma) / 4)
        assert [c[index].item() for c in EdmPreconditioning(data)(SIGMA)] == pytest.approx(literal, rel=1e-5)


@pytest.mark.parametrize("data", [0.5, 1.0])
def test_edm_preconditioning_is_that_of_diffusers(data):
    scheduler = EDMEulerScheduler(sigma_data=data)
    noisy, raw = 3 * normal(1, 3, *SHAPE), normal(2, 3, *SHAPE)
    c_skip, c_out, c_in, c_noise = EdmPreconditioning(data)(SIGMA)
    for row, sigma in enumerate(SIGMA):
        theirs = scheduler.precondition_outputs(noisy[row], raw[row], sigma)
        assert torch.allclose(c_skip[row] * noisy[row] + c_out[row] * raw[row], theirs, rtol=1e-5, atol=1e-6)
        assert torch.allclose(c_in[row] * noisy[row], scheduler.precondition_inputs(noisy[row], sigma))
        assert torch.allclose(c_noise[row], scheduler.precondition_noise(sigma))


@pytest.mark.parametrize("sigma", [0.002, 0.7, 30.0, 700.0])
def test_the_estimate_from_v_is_that_of_diffusers(sigma):
    scheduler = EulerDiscreteScheduler(prediction_type="v_prediction", timestep_type="continuous")
    scheduler.set_timesteps(1)
    scheduler.sigmas = torch.tensor([sigma, 0.0])
    noisy, raw = sigma * normal(1, 1, *SHAPE), normal(2, 1, *SHAPE)
    theirs = scheduler.step(raw, scheduler.timesteps[0], noisy).pred_original_sample
    ours = Objective().denoise(lambda *_: raw, noisy, torch.tensor([sigma]), CONDITIONS)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_rectified_flow_sees_the_straight_way_and_predicts_noise_minus_data():
    clean, noise = normal(1, 3, *SHAPE), normal(2, 3, *SHAPE)
    time = torch.tensor([0.003, 0.6, 0.999])
    t = time[:, None, None, None, None]

    def network(seen, c_noise, _conditions):
        assert torch.allclose(seen, (1 - t) * clean + t * noise, atol=1e-5)
        assert torch.allclose(c_noise, 1000 * time, rtol=1e-5)
        return noise - clean

    objective = Objective(FlowPreconditioning(), weight=FlowWeight())
    sigma = time / (1 - time)
    noisy = clean + sigma[:, None, None, None, None] * noise
    assert torch.allclose(objective.denoise(network, noisy, sigma, CONDITIONS), clean, atol=1e-4)
    assert objective.loss(network, clean, sigma, noise, CONDITIONS).max() < 1e-6


def test_rectified_flow_steps_as_diffusers_does():
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=[0.9, 0.5, 0.2])  # diffusers calls t sigma

    def network(seen, c_noise, _conditions=None):
        return torch.sin(3 * seen + c_noise.reshape(-1, 1, 1, 1, 1) / 300)

    clean, noise = normal(1, 1, *SHAPE), normal(2, 1, *SHAPE)
    theirs = scheduler.scale_noise(clean, scheduler.timesteps[:1], noise)
    sigmas = [0.9 / 0.1, 0.5 / 0.5, 0.2 / 0.8, 0.0]
    ours = clean + sigmas[0] * noise
    for step, time in enumerate(scheduler.timesteps):
        sigma = torch.tensor([sigmas[step]])
        scalings = FlowPreconditioning()(sigma)
        assert torch.allclose(scalings.c_in * ours, theirs, atol=1e-5)
        assert scalings.c_noise.item() == pytest.approx(time.item(), rel=1e-5)
        theirs = scheduler.step(network(theirs, time), time, theirs).prev_sample
        estimate = Objective(FlowPreconditioning()).denoise(network, ours, sigma, CONDITIONS)
        ours = estimate + sigmas[step + 1] / sigmas[step] * (ours - estimate)
    assert torch.allclose(ours, theirs, atol=1e-5) and theirs.std() > 0.5


def test_the_flow_network_may_be_told_the_time_in_other_units():
    assert torch.allclose(FlowPreconditioning(1.0)(SIGMA).c_noise, SIGMA / (1 + SIGMA))


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="sigma_data"):
        EdmPreconditioning(0.0)
    with pytest.raises(ValueError, match="time_scale"):
        FlowPreconditioning(0.0)
