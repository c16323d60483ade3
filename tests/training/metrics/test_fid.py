"""FID over frames, on a stand-in for Inception."""

import pytest
import torch
from counting import some_videos
from networks import Inception, saved

from training.metrics.evaluation import Evaluation
from training.metrics.fid import FrechetInceptionDistance
from training.metrics.frechet import frechet_distance

CPU = torch.device("cpu")


def test_every_frame_counts_as_one_feature(tmp_path):
    path = saved(Inception(), tmp_path)
    evaluation = Evaluation([FrechetInceptionDistance(path, batch_size=5)], CPU)
    sides = [some_videos(7, seed, frames=9) for seed in (0, 1)]
    for is_real, videos in enumerate(sides):
        evaluation.add(range(7), videos, bool(is_real))
    frames = [videos.frames.flatten(0, 1).permute(0, 3, 1, 2) for videos in sides]
    features = [Inception()(each, return_features=True).double() for each in frames]
    wanted = frechet_distance(*[tensor for each in features for tensor in (each.mean(0), each.T.cov())])
    found = evaluation.figures()[0]
    assert found.value == pytest.approx(wanted, rel=1e-6)
    assert (found.num_fake, found.num_real, found.low) == (7, 7, None)
    assert "too large with 7 videos for 16 features" in found.caution, "63 frames are not 63 videos"
    assert "every frame of every video; covariances by N-1" in found.protocol


def test_without_weights_the_metric_says_so():
    found = Evaluation([FrechetInceptionDistance()], CPU).figures()[0]
    assert found.value is None and "needs the weights of Inception v3" in found.missing
