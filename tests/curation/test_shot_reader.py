import numpy as np
import pytest
import torch

from benchmarks.train_shot_reader import Reader
from curation.shot_features import NAMES
from curation.shot_reader import RADIUS, ShotReader, inputs, shot_reader


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    answers = rng.random((120, 2)).astype(np.float32)
    answers[30:70] = np.nan
    return rng.normal(size=(120, len(NAMES))).astype(np.float32), answers


def test_it_calculates_what_was_trained(rows):
    numbers, answers = rows
    torch.manual_seed(0)
    trained = Reader(np.zeros(len(NAMES) + 3, np.float32), np.ones(len(NAMES) + 3, np.float32)).eval()
    x = torch.from_numpy(np.concatenate([numbers, inputs(answers)], axis=1))[None]
    with torch.inference_mode():
        wanted = trained(x)[0].sigmoid().numpy()
    got = ShotReader({name: value.numpy() for name, value in trained.state_dict().items()}).read(numbers, answers)
    assert got.shape == (120, 2) and got == pytest.approx(wanted, abs=1e-5)


def test_a_reading_depends_on_its_surroundings_alone(rows):
    numbers, answers = rows
    whole = shot_reader().read(numbers, answers)
    part = shot_reader().read(numbers[20:100], answers[20:100])
    assert part[RADIUS:-RADIUS] == pytest.approx(whole[20 + RADIUS : 100 - RADIUS], abs=1e-5)
    other = numbers.copy()
    other[60] += 1
    changed = np.flatnonzero((shot_reader().read(other, answers) != whole).any(axis=1))
    assert changed.min() >= 60 - RADIUS and changed.max() <= 60 + RADIUS


def test_an_answer_that_was_not_given_is_told_apart_from_any_that_was():
    given = inputs(np.array([[0.5, 0.5], [np.nan, np.nan], [1, 0]], np.float32))
    assert given[0].tolist() == [0, 0, 1] and given[1].tolist() == [0, 0, 0]
    assert given[2, 0] == pytest.approx(-given[2, 1], rel=1e-3) and given[2, 0] > 2
