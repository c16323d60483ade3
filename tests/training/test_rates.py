import numpy as np
import pytest
from clipset import gray_clip, put_set
from test_clips import numbers

import training.clips
from training.bucket import Bucket
from training.clips import ClipSource
from training.conditioning import Conditioning, Micro
from training.data import StageData
from training.rates import Rates
from training.sources import rng_of


@pytest.mark.parametrize("fps", [24.0, 30.0, 12.5])
@pytest.mark.parametrize(("of_rate", "stride"), [(0.0, 1), (0.5, 2), (0.99, 3)])
def test_at_a_stride_whole_frames_are_seen_and_their_rate_is_told(tmp_path, monkeypatch, fps, of_rate, stride):
    told = Conditioning((Micro("fps"),))
    clips = ClipSource(put_set(tmp_path, [gray_clip(0, 20, fps)]), [Bucket(6, 64, 96)], Rates(strides=(1, 2, 3)), told)
    firsts = set()
    for of_start in np.linspace(0, 0.999, 25):
        monkeypatch.setattr(training.clips, "uniforms", lambda *_, s=of_start: np.array([of_rate, s, 0.0]))
        example = clips.read(0, rng_of(0, 0, 0))
        first, *_ = found = numbers(example)
        assert found == list(range(first, first + 6 * stride, stride)) and example.micro == (fps / stride,)
        firsts.add(first)
    assert firsts == set(range(20 - 5 * stride))


def test_a_clip_must_last_for_the_stride(tmp_path):
    assert Rates(strides=(1, 2)).fit(4, np.array([7, 6, 3]), np.full(3, 24.0)).tolist() == [
        [True, True],
        [True, False],
        [False, False],
    ]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"strides": (1, 2)}, "one of data.fps and data.strides is a list, the other is null"),
        ({"fps": None, "strides": (2,)}, "data.sampling_fps"),
        ({"fps": None, "strides": (0,), "sampling_fps": 8}, "data.strides holds numbers above 0"),
        ({"fps": None}, "one of data.fps and data.strides holds"),
    ],
)
def test_one_of_rates_and_strides_is_told(settings, told):
    with pytest.raises(ValueError, match=told):
        StageData("shards", [Bucket(4, 64, 96)], batch_size=1, **settings)
    assert StageData("s", [Bucket(4, 64, 96)], batch_size=1, fps=(6.0, 8.0)).sampling_fps == 6.0
