"""The demo's own metric of directions: real videos go where they say, reversed ones never."""

import numpy as np
import pytest
import torch

from benchmarks.direction_metric import Direction
from benchmarks.held_out_scenes import held_out_scenes
from training.bucket import Bucket
from training.metrics.evaluation import Evaluation
from training.metrics.metric import Videos


@pytest.fixture(scope="module")
def scenes():
    return held_out_scenes(24, (), Bucket(8, 64, 96), 6)


def figure(frames, captions):
    evaluation = Evaluation([Direction()], torch.device("cpu"))
    evaluation.add(range(len(captions)), Videos(torch.from_numpy(np.stack(frames)), captions, 6.0))
    return evaluation.figures()[0], evaluation.of_videos("direction")


def test_real_videos_go_where_their_captions_say(scenes):
    told, of_videos = figure([scene.frames for scene in scenes], [scene.caption for scene in scenes])
    moving = [number for number, scene in enumerate(scenes) if scene.mover]
    assert [number for number, value in of_videos.items() if np.isfinite(value)] == moving
    assert told.value == 1 and f"of {len(moving)} videos" in told.caution
    backwards, _ = figure([scene.frames[::-1] for scene in scenes], [scene.caption for scene in scenes])
    assert backwards.value == 0


def test_without_motion_in_the_captions_there_is_no_figure(scenes):
    told, of_videos = figure([scene.frames for scene in scenes[:3]], ["a red circle over a sandy background"] * 3)
    assert told.value is None and "fewer than two captions" in told.missing
    assert np.isnan(list(of_videos.values())).all()
