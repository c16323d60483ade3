"""Inception Score against its known extremes, and on a stand-in for C3D."""

import numpy as np
import pytest
import torch
from networks import C3d, NoClasses, saved

from training.metrics.evaluation import Evaluation
from training.metrics.inception_score import InceptionScore, inception_score
from training.metrics.metric import Videos

CPU = torch.device("cpu")


def pure(number: int) -> Videos:
    """Videos that are red, green and blue by turns."""
    frames = torch.zeros(number, 16, 4, 4, 3, dtype=torch.uint8)
    frames[torch.arange(number), ..., torch.arange(number) % 3] = 255
    return Videos(frames, [""] * number, 8.0)


def test_extremes_are_the_number_of_classes_and_one():
    assert inception_score(torch.eye(7, dtype=torch.float64)) == pytest.approx(7)
    assert inception_score(torch.full((5, 7), 1 / 7, dtype=torch.float64)) == pytest.approx(1)
    assert inception_score(torch.eye(7, dtype=torch.float64)[[2, 2, 2]]) == pytest.approx(1)


def test_two_classes_of_known_shares():
    """Three videos of one class and one of another: the entropy of (3/4, 1/4)."""
    shares = torch.eye(2, dtype=torch.float64)[[0, 0, 0, 1]]
    assert inception_score(shares) == pytest.approx(4 / 27**0.25)  # exp(-(3/4 ln 3/4 + 1/4 ln 1/4))


def test_splits_are_of_equal_size_and_shuffled_as_stylegan_v_does(tmp_path):
    """Red, green and blue by turns, of which splits in order would each have one: 3 classes."""
    evaluation = Evaluation([InceptionScore(saved(C3d(), tmp_path), num_splits=10, batch_size=4)], CPU)
    videos = pure(30)
    for start in (15, 0):  # order of batches changes nothing
        part = Videos(videos.frames[start : start + 15], [""] * 15, 8.0)
        evaluation.add(range(start, start + 15), part)
    classes = np.eye(3)[np.arange(30) % 3]
    np.random.RandomState(42).shuffle(classes)
    wanted = np.mean([inception_score(torch.from_numpy(part)) for part in classes.reshape(10, 3, 3)])
    found = evaluation.figures()[0]
    assert wanted < 2.8 and found.value == pytest.approx(wanted, rel=1e-3) and found.num_fake == 30
    assert "first 16 frames; mean over 10 splits of videos shuffled by NumPy's RandomState(42)" in found.protocol


def test_sets_that_are_sorted_by_kind_are_mixed(tmp_path):
    """All red, then all green, then all blue: in order, most splits would hold one class and score 1."""
    evaluation = Evaluation([InceptionScore(saved(C3d(), tmp_path), num_splits=3, batch_size=16)], CPU)
    videos = pure(60)
    by_kind = torch.arange(60).reshape(20, 3).T.flatten()
    evaluation.add(range(60), Videos(videos.frames[by_kind], [""] * 60, 8.0))
    assert evaluation.figures()[0].value == pytest.approx(3, rel=0.1)


def test_too_few_videos_are_refused(tmp_path):
    evaluation = Evaluation([InceptionScore(saved(C3d(), tmp_path))], CPU)
    evaluation.add(range(12), pure(12))
    assert "12 videos make no 10 splits" in evaluation.figures()[0].missing


def test_what_gives_no_probabilities_is_refused(tmp_path):
    evaluation = Evaluation([InceptionScore(saved(NoClasses(), tmp_path)), InceptionScore(name="none")], CPU)
    evaluation.add(range(12), pure(12))
    other, none = evaluation.figures()
    assert "gives no probabilities" in other.missing and "needs the weights of C3D" in none.missing
