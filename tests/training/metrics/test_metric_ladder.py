"""The benchmark of metrics: its degradations are what they say, and metrics order them the right way."""

import numpy as np
import pytest
from moving import sliding

from benchmarks.degradations import WAYS, others
from benchmarks.held_out_scenes import held_out_scenes
from benchmarks.metric_ladder import FALLS, RESPONSES, RISES, SAME, WEIGHTS, is_ordered, ladder
from training.bucket import Bucket
from training.metrics.clipsim import ClipSim
from training.metrics.consistency import BackgroundConsistency
from training.metrics.dynamic_degree import DynamicDegree
from training.metrics.motion_smoothness import MotionSmoothness
from training.metrics.open_clip_frames import OpenClip
from training.metrics.temporal_flickering import TemporalFlickering
from training.metrics.video_net import ProxyFrechetDistance, VideoNet

VIDEO = sliding((3.0, 0.0), 8)


@pytest.mark.parametrize("way", WAYS)
def test_the_weakest_degradation_is_none(way):
    degradation = WAYS[way]
    assert degradation.strengths[0] == 0 and list(degradation.strengths) == sorted(set(degradation.strengths))
    assert np.array_equal(degradation.spoil(VIDEO, 0, np.random.default_rng(0)), VIDEO)


@pytest.mark.parametrize("way", ["noise", "blur", "frozen", "shuffled"])
def test_stronger_ones_change_more(way):
    spoil, strengths = WAYS[way].spoil, WAYS[way].strengths
    spoilt = [spoil(VIDEO, strength, np.random.default_rng(0)) for strength in strengths]
    changes = [np.abs(each.astype(float) - VIDEO).mean() for each in spoilt]
    assert changes == sorted(changes) and all(each.dtype == np.uint8 for each in spoilt)


def test_frames_are_held_or_change_places():
    rng = np.random.default_rng(1)
    assert np.array_equal(WAYS["frozen"].spoil(VIDEO, 1, rng), VIDEO[[0] * 8])
    moved = WAYS["shuffled"].spoil(VIDEO, 0.5, rng)
    assert 2 <= (moved != VIDEO).any(axis=(1, 2, 3)).sum() <= 4
    assert sorted(frame.tobytes() for frame in moved) == sorted(frame.tobytes() for frame in VIDEO)


def test_that_share_of_captions_is_anothers():
    captions = [f"{number}" for number in range(16)]
    for strength in WAYS["caption"].strengths:
        told = others(captions, strength)
        assert sum(own != other for own, other in zip(captions, told, strict=True)) == 16 * strength


def test_no_step_goes_the_other_way():
    assert is_ordered([1, 2, 3], RISES) and is_ordered([1, 1, 2], RISES)
    assert not is_ordered([1, 3, 2], RISES) and not is_ordered([1, 1, 1], RISES)
    assert is_ordered([3, 2, 1], FALLS) and not is_ordered([1, 2, 3], FALLS)
    assert is_ordered([1, 1.00001], SAME) and not is_ordered([1, 1.1], SAME)


@pytest.mark.slow
def test_every_metric_orders_what_it_must_answer():
    clip = OpenClip(f"local-dir:{WEIGHTS / 'clip'}")
    metrics = [ProxyFrechetDistance(VideoNet(str(WEIGHTS / "video_net"))), ClipSim(clip), BackgroundConsistency(clip)]
    metrics += [TemporalFlickering(), MotionSmoothness(), DynamicDegree()]
    found = ladder(metrics, held_out_scenes(48, (), Bucket(8, 64, 96), 8))
    for name, ways in found.items():
        assert ways.keys() == RESPONSES[name].keys()
        assert [way for way, values in ways.items() if not is_ordered(values, RESPONSES[name][way])] == [], name
