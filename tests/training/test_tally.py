"""Losses told apart by bucket and noise level, against counting by hand."""

import numpy as np
import pytest
import torch

from training.bucket import Bucket
from training.callbacks.tally import NUM_LEVELS, Tally, level_edges, means
from training.objective import LogNormal, Objective
from training.objective.flow_levels import LogitNormal, UniformTime
from training.objective.schedule import ScaledLinearSchedule
from training.objective.scheduled import DiscreteVPreconditioning, ScheduledLevels

SHAPE = (4, 4, 8, 12)
SCHEDULE = ScaledLinearSchedule(num_steps=1000, beta_start=0.00085, beta_end=0.012)
OBJECTIVES = {
    "edm": Objective(sigma=LogNormal(mean=0.7, std=1.6)),
    "flow": Objective(sigma=LogitNormal(shift=3.0, base_tokens=96)),
    "uniform": Objective(sigma=UniformTime()),
    "steps": Objective(preconditioning=DiscreteVPreconditioning(SCHEDULE), sigma=ScheduledLevels(SCHEDULE)),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_bins_have_equal_probability_under_every_objective(name):
    objective = OBJECTIVES[name]
    generators = [torch.Generator().manual_seed(seed) for seed in range(4000)]
    levels = objective.sigma.for_shape(SHAPE)
    sigmas = torch.stack([levels.draw(generator) for generator in generators])
    tally = Tally([level_edges(objective, SHAPE)])
    tally.add(0, torch.ones(4000), sigmas)
    counts = tally.sums()[0, :, 1]
    assert counts.sum() == 4000
    assert (counts / 4000).tolist() == pytest.approx([1 / NUM_LEVELS] * NUM_LEVELS, abs=0.03)  # 4 standard errors


def test_means_are_those_of_the_samples_of_each_kind():
    buckets = [Bucket(1, 16, 24), Bucket(4, 16, 24), Bucket(8, 16, 24)]
    tally = Tally([torch.tensor([1.0, 2.0, 3.0])] * 3)
    rng = np.random.default_rng(0)
    rows = []
    for bucket in (0, 1, 1, 0):
        losses, sigmas = rng.uniform(0, 1, 5).astype(np.float32), rng.uniform(0, 4, 5).astype(np.float32)
        tally.add(bucket, torch.tensor(losses), torch.tensor(sigmas))
        rows += [(bucket, loss, int(sigma)) for loss, sigma in zip(losses, sigmas, strict=True)]
    found = means(tally.sums(), buckets)

    def mean(keep):
        return pytest.approx(np.mean([row[1] for row in rows if keep(row)], dtype=np.float64), rel=1e-6)

    assert found["loss"] == mean(lambda row: True)
    for level in range(4):
        assert found[f"loss_by_level/{level + 1}_of_4"] == mean(lambda row, level=level: row[2] == level)
    assert found["loss_by_medium/image"] == found["loss_by_bucket/1x16x24"] == mean(lambda row: row[0] == 0)
    assert found["loss_by_medium/video"] == found["loss_by_bucket/4x16x24"] == mean(lambda row: row[0] == 1)
    assert "loss_by_bucket/8x16x24" not in found
    tally.clear()
    assert not tally.sums().any() and means(tally.sums(), buckets) == {}


def test_a_single_bucket_is_not_told_apart():
    tally = Tally([torch.tensor([1.0, 2.0, 3.0])])
    tally.add(0, torch.tensor([2.0, 4.0]), torch.tensor([1.0, 0.5]))  # a level on an edge is of the bin above
    assert means(tally.sums(), [Bucket(4, 16, 24)]) == {
        "loss": 3.0,
        "loss_by_level/1_of_4": 4.0,
        "loss_by_level/2_of_4": 2.0,
    }
