"""The objective as a whole: draws, the loss, parts from YAML."""

import pytest
import torch
from jsonargparse import ArgumentParser

import training.objective
from training.conditioning import Conditions
from training.objective import (
    DiscreteVPreconditioning,
    LinearSchedule,
    LogitNormal,
    LogNormal,
    MixedNoise,
    Objective,
    ScheduledLevels,
    UniformTime,
)

CONDITIONS = Conditions(torch.zeros(3, 1, 1), torch.zeros(3, 0))
SIGMA = torch.tensor([0.01, 1.3, 60.0])
SHAPE = (2, 4, 3, 5)


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def perfect_v(clean: torch.Tensor, noise: torch.Tensor):
    """A network that knows the answer: v = alpha eps - sigma' x0, checked against the input it is given."""
    alpha, vp_sigma = (f[:, None, None, None, None] for f in (1 / (1 + SIGMA**2).sqrt(), SIGMA / (1 + SIGMA**2).sqrt()))

    def network(noisy, c_noise, conditions):
        assert torch.allclose(noisy, alpha * clean + vp_sigma * noise, atol=1e-5)
        assert torch.allclose(c_noise, SIGMA.log() / 4) and conditions is CONDITIONS
        return alpha * noise - vp_sigma * clean

    return network


def test_a_perfect_v_gives_back_the_clean_latents():
    clean, noise = normal(1, 3, *SHAPE), normal(2, 3, *SHAPE)
    network = perfect_v(clean, noise)
    estimate = Objective().denoise(network, clean + SIGMA[:, None, None, None, None] * noise, SIGMA, CONDITIONS)
    assert torch.allclose(estimate, clean, atol=1e-4)
    assert Objective().loss(network, clean, SIGMA, noise, CONDITIONS).max() < 1e-6


def test_loss_is_the_plain_squared_error_of_v():
    clean, noise, error = normal(1, 3, *SHAPE), normal(2, 3, *SHAPE), normal(3, 3, *SHAPE)
    network = perfect_v(clean, noise)
    loss = Objective().loss(lambda *args: network(*args) + error, clean, SIGMA, noise, CONDITIONS)
    assert loss.shape == (3,)
    assert torch.allclose(loss, error.square().mean((1, 2, 3, 4)), rtol=1e-3)


def test_loss_is_in_float32_under_a_network_of_low_precision():
    clean, noise = normal(1, 3, *SHAPE), normal(2, 3, *SHAPE)
    seen = []
    loss = Objective().loss(
        lambda noisy, *_: seen.append(noisy) or torch.zeros_like(noisy, dtype=torch.bfloat16),
        clean.bfloat16(), SIGMA, noise, CONDITIONS,
    )  # fmt: skip
    assert loss.dtype == seen[0].dtype == torch.float32


def test_a_draw_depends_on_its_own_seed_alone():
    objective = Objective()
    sigma, noise = objective.draw(SHAPE, generators(7, 8, 9))
    assert sigma.shape == (3,) and noise.shape == (3, *SHAPE)
    assert len(set(sigma.tolist())) == 3 and not torch.equal(noise[0], noise[1])
    for row, seed in [(0, 7), (1, 8), (2, 9)]:
        alone = objective.draw(SHAPE, generators(seed))
        assert torch.equal(alone[0][0], sigma[row]) and torch.equal(alone[1][0], noise[row])
    turned = objective.draw(SHAPE, generators(9, 7, 8))
    assert torch.equal(turned[0], sigma[[2, 0, 1]]) and torch.equal(turned[1], noise[[2, 0, 1]])


def test_the_level_does_not_depend_on_the_shape():
    assert torch.equal(Objective().draw(SHAPE, generators(3))[0], Objective().draw((1, 1, 1, 1), generators(3))[0])


def test_levels_follow_the_shape_where_they_say_so():
    objective = Objective(sigma=UniformTime(base_tokens=100))
    level, large = (objective.draw((frames, 4, 5, 20), generators(3))[0] for frames in (1, 9))
    assert torch.allclose(large, 3 * level)


def read(tmp_path, *texts: str) -> tuple[Objective, str]:
    parser = ArgumentParser()
    parser.add_argument("--config", action="config")
    parser.add_argument("--objective", type=Objective, default=Objective())
    files = [tmp_path / f"{number}.yaml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    config = parser.parse_args([f"--config={file}" for file in files])
    return parser.instantiate(config).objective, parser.dump(config)


def test_yaml_replaces_one_part(tmp_path):
    objective, dump = read(
        tmp_path,
        "objective:\n  sigma:\n    class_path: training.objective.LogNormal\n    init_args: {mean: 0.5, std: 1.4}\n",
    )
    assert objective == Objective(sigma=LogNormal(0.5, 1.4))
    assert "class_path: training.objective.LogNormal\n" in dump


def test_yaml_states_a_schedule(tmp_path):
    schedule = "schedule: {class_path: training.objective.LinearSchedule, init_args: {zero_terminal_snr: true}}"
    objective, _ = read(
        tmp_path,
        "objective:\n"
        f"  preconditioning: {{class_path: training.objective.DiscreteVPreconditioning, init_args: {{{schedule}}}}}\n"
        f"  sigma: {{class_path: training.objective.ScheduledLevels, init_args: {{{schedule}}}}}\n"
        "  noise: {class_path: training.objective.MixedNoise, init_args: {alpha: 2}}\n",
    )
    expected = LinearSchedule(zero_terminal_snr=True)
    assert objective == Objective(
        DiscreteVPreconditioning(expected), ScheduledLevels(expected), noise=MixedNoise(alpha=2.0)
    )


def test_another_distribution_does_not_take_over_the_moments_of_the_one_before(tmp_path):
    before = "objective: {sigma: {class_path: training.objective.LogNormal, init_args: {mean: 0.5, std: 2}}}"
    after = "objective: {sigma: {class_path: training.objective.LogitNormal, init_args: {shift: 3}}}"
    assert read(tmp_path, before, after)[0].sigma == LogitNormal(shift=3.0)


@pytest.mark.parametrize("name", training.objective.__all__)
def test_every_part_has_its_short_path(name):
    assert hasattr(training.objective, name)
