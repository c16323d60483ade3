"""The benchmark of metrics: its degradations are what they say, and metrics order them the right way."""

import re

import numpy as np
import pytest
from moving import sliding

from benchmarks.degradations import WAYS, others
from benchmarks.demo_classes import write_classes
from benchmarks.held_out_scenes import held_out_scenes
from benchmarks.metric_ladder import FALLS, RESPONSES, RISES, SAME, at_hand, is_ordered, ladder, measured, spoilt
from training.bucket import Bucket
from training.metrics.inception_score import InceptionScore

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


def test_the_stand_in_for_c3d_tells_backgrounds_apart_where_they_can_be_seen(tmp_path):
    scenes = held_out_scenes(16, (), Bucket(8, 64, 96), 8)
    metric = InceptionScore(write_classes(tmp_path / "classes.pt"), num_frames=8, num_splits=1)
    sharp, noisy = (spoilt(scenes, "noise", strength) for strength in (0, 64))
    seen, unseen = (measured([metric], each, sharp)["inception_score"] for each in (sharp, noisy))
    num_kinds = len({re.findall(r"over a (\w+) background", scene.caption)[0] for scene in scenes})
    assert 0.7 * num_kinds < seen <= num_kinds and 1 < unseen < 0.5 * seen


@pytest.mark.slow
def test_every_metric_orders_what_it_must_answer(tmp_path):
    metrics = at_hand(tmp_path, 8)
    assert RESPONSES.keys() - {metric.name for metric in metrics} == {"fvd", "fid"}, "whose weights are not here"
    found = ladder(metrics, held_out_scenes(48, (), Bucket(8, 64, 96), 8))
    for name, ways in found.items():
        assert ways.keys() == RESPONSES[name].keys()
        assert [way for way, values in ways.items() if not is_ordered(values, RESPONSES[name][way])] == [], name
