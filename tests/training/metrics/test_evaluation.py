"""Several metrics over the same videos: what is missing is told, and ranks change nothing."""

import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import counting
import numpy as np
import pytest
import torch
from counting import Brightness, Corners, figures_of, some_of, some_videos
from jsonargparse import ArgumentParser

from training.metrics.clipsim import ClipSim
from training.metrics.evaluation import Evaluation
from training.metrics.frechet import frechet_distance
from training.metrics.fvd import FrechetVideoDistance
from training.metrics.metric import Figure, Metric, Videos
from training.metrics.open_clip_frames import OpenClip
from training.metrics.video_net import ProxyFrechetDistance, VideoNet

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory) -> list[list[tuple[list[Figure], dict]]]:
    """What each of two ranks found, of 45 videos, and of one."""
    folder = tmp_path_factory.mktemp("ranks")
    outs = [folder / f"rank-{rank}" for rank in range(2)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    commands = [[counting.__file__, str(rank), str(folder / "meeting"), str(out)] for rank, out in enumerate(outs)]
    ranks = [subprocess.Popen([sys.executable, *command, "45", "1"], env=environment) for command in commands]
    assert [rank.wait(timeout=200) for rank in ranks] == [0, 0]
    return [eval(out.read_text(), {"Figure": Figure}) for out in outs]


def test_one_and_two_ranks_find_the_same(two_ranks):
    one, values = figures_of(0, 1, 45, 45)
    first, second = (found[0] for found in two_ranks)
    assert first == second and first[1] == values
    for there, here in zip(first[0], one, strict=True):
        numbers = [[told[key] for key in ("value", "low", "high")] for told in (asdict(there), asdict(here))]
        same = {"value": None, "low": None, "high": None}
        assert replace(there, **same) == replace(here, **same)
        if here.value is not None:
            assert numbers[0] == pytest.approx(numbers[1], rel=1e-12)


def test_a_rank_without_videos_takes_part(two_ranks):
    (first, values), second = (found[1] for found in two_ranks)
    assert (first, values) == second and list(values) == [0]
    assert first[0].num_fake == 1 and first[0].low is None
    assert "1 sampled and 1 real videos" in first[1].missing


def test_figures_are_those_of_all_videos():
    (brightness, corners, lacking), values = figures_of(0, 1)
    fake, real = (some_videos(number, seed).frames.double() for number, seed in ((45, 0), (41, 1)))
    means = fake.mean(dim=(1, 2, 3, 4))
    assert brightness.value == pytest.approx(means.mean().item(), rel=1e-6)
    assert list(values.values()) == pytest.approx(means.tolist(), rel=1e-6)
    gaussians = [tensor for each in (fake, real) for tensor in (each[:, 0, 0, 0].mean(0), each[:, 0, 0, 0].T.cov())]
    assert corners.value == pytest.approx(frechet_distance(*gaussians), rel=1e-9)
    assert (corners.num_fake, corners.num_real, brightness.num_real) == (45, 41, 0)
    assert brightness.protocol == "mean of bytes; videos of 3x4x6 at 8 fps"
    assert lacking.value is None and lacking.missing == "needs weights that are not there: fetch them"
    assert brightness.missing == corners.missing == ""


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    (brightness, *_), values = figures_of(0, 1)
    error = np.std(list(values.values()), ddof=1) / np.sqrt(45)
    assert brightness.high - brightness.value == pytest.approx(1.96 * error, rel=0.1)
    assert brightness.value - brightness.low == pytest.approx(1.96 * error, rel=0.1)


def test_what_cannot_be_measured_stops_nothing_else():
    evaluation = Evaluation([Brightness(min_frames=5), Brightness("other")], CPU)
    evaluation.add([0, 1], some_videos(2))
    short, other = evaluation.figures()
    assert (short.value, short.missing) == (None, "too short") and other.value is not None
    assert evaluation.of_videos("brightness") == {}


def test_batches_come_in_any_order_and_a_video_twice_counts_once():
    videos, found = some_videos(6), []
    for order in ([0, 1, 2], [3, 4, 5]), ([5, 0, 2], [4, 2, 1, 3]):
        evaluation = Evaluation([Brightness()], CPU)
        for rows in order:
            evaluation.add(rows, some_of(videos, rows))
        found.append(evaluation.figures())
    assert found[0] == found[1] and found[0][0].num_fake == 6


def test_another_format_is_refused():
    evaluation = Evaluation([Brightness(), Corners()], CPU)
    evaluation.add([0, 1], some_videos(2))
    other = some_videos(2)
    with pytest.raises(ValueError, match="3x4x6 at 5 fps after videos of 3x4x6 at 8 fps"):
        evaluation.add([0, 1], Videos(other.frames, other.captions, 5.0), is_real=True)


def test_names_are_unique():
    with pytest.raises(ValueError, match="called brightness"):
        Evaluation([Brightness(), Brightness()], CPU)


def test_metrics_come_from_yaml():
    parser = ArgumentParser()
    parser.add_argument("--metrics", type=list[Metric])
    told = [
        {"class_path": "training.metrics.clipsim.ClipSim", "init_args": {"clip": {"model": "ViT-B-32"}}},
        {
            "class_path": "training.metrics.video_net.ProxyFrechetDistance",
            "init_args": {
                "network": {"class_path": "training.metrics.video_net.VideoNet", "init_args": {"path": "net"}},
                "name": "near",
            },
        },
        {"class_path": "training.metrics.fvd.FrechetVideoDistance", "init_args": {"variant": "svd"}},
    ]
    found = parser.instantiate(parser.parse_object({"metrics": told})).metrics
    assert found == [
        ClipSim(OpenClip("ViT-B-32")),
        ProxyFrechetDistance(VideoNet("net"), name="near"),
        FrechetVideoDistance(variant="svd"),
    ]
