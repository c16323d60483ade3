import json
import math
from dataclasses import asdict

import numpy as np
import pytest

from curation.motion_bucket import MotionBuckets, rank_motion


def test_the_bucket_is_the_rank_in_the_corpus():
    motion = np.random.default_rng(0).permutation(np.arange(1024) ** 2 / 7.0)
    buckets = rank_motion("motion", motion)
    assert buckets.column == "motion" and buckets.num_clips == 1024
    ranks = np.argsort(np.argsort(motion))
    assert [buckets.of(value) for value in motion] == (ranks // 4).tolist(), "4 clips in each of 256 buckets"


def test_equal_motion_has_one_bucket_that_of_its_middle_rank():
    buckets = rank_motion("motion", np.array([0.0] * 50 + [1.0] * 50))
    assert [buckets.of(value) for value in (0.0, 1.0)] == [64, 192]
    assert rank_motion("motion", np.full(1000, 3.5)).of(3.5) == 128
    assert rank_motion("motion", np.array([7.0])).of(7.0) == 128


@pytest.mark.parametrize("count", [1, 2, 3, 100, 255, 256, 257, 5000])
def test_buckets_rise_with_motion_and_stay_between_0_and_255(count):
    motion = np.random.default_rng(count).exponential(size=count).astype(np.float32)
    buckets = rank_motion("motion", motion)
    order = [buckets.of(value) for value in np.sort(motion)]
    assert order == sorted(order) and order[0] >= 0 and order[-1] <= 255 and len(buckets.edges) <= 255
    expected = [256 * (2 * rank + 1) // (2 * count) for rank in range(count)]
    assert order == expected


def test_clips_that_come_later_are_mapped_alike():
    buckets = rank_motion("motion", np.array([1.0, 2.0, 3.0, 4.0]))
    assert [buckets.of(value) for value in (-1.0, 1.0, 1.5, 2.0, 3.9, 4.0, 1e9)] == [0, 32, 32, 96, 160, 224, 224]
    again = MotionBuckets(**json.loads(json.dumps(asdict(buckets))))
    assert [again.of(value) for value in (0.0, 2.5, 9.0)] == [buckets.of(value) for value in (0.0, 2.5, 9.0)]


def test_a_clip_without_a_score_has_none_and_does_not_count():
    buckets = rank_motion("motion", np.array([math.nan, 1.0, math.inf, 2.0, math.nan]))
    assert buckets.num_clips == 2 and [buckets.of(value) for value in (1.0, 2.0)] == [64, 192]
    assert [buckets.of(value) for value in (None, math.nan, math.inf)] == [None] * 3
    nothing = rank_motion("motion", np.array([math.nan]))
    assert nothing.of(1.0) is None and MotionBuckets(None).of(1.0) is None
