import cv2
import numpy as np
import pyarrow as pa
import pytest
from footage import noise_scene

from curation.duplicates.near_hashes import BITS, differing_bits
from curation.scorers.fingerprint import Fingerprint, frame_hash, small_luma


def tiny() -> Fingerprint:
    return Fingerprint()


def scene(seed, size=(320, 180)):
    return noise_scene(seed, 1, size=size)[0]


def hash_of(picture):
    return frame_hash(small_luma(picture))


def share(left, right):
    return differing_bits(hash_of(left), hash_of(right)) / BITS


def test_a_wave_has_the_bit_of_its_frequency():
    def wave(rows, columns):
        y, x = np.mgrid[:32, :32] + 0.5
        return (np.cos(np.pi * rows * y / 32) * np.cos(np.pi * columns * x / 32)).astype(np.float32)

    # In order of rising frequency: (0, 1), (1, 0), (0, 2), (1, 1), (2, 0) ...
    for place, frequency in enumerate([(0, 1), (1, 0), (0, 2), (1, 1), (2, 0)]):
        dominant = 100 * wave(*frequency) - sum(wave(*f) for f in [(0, 1), (1, 0), (0, 2), (1, 1), (2, 0)])
        assert int(frame_hash(dominant)[0]) >> 59 == 1 << (4 - place)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: cv2.resize(p, (160, 90), interpolation=cv2.INTER_AREA),
        lambda p: cv2.resize(p, (480, 200), interpolation=cv2.INTER_LINEAR),
        lambda p: cv2.convertScaleAbs(p, alpha=0.7, beta=20),
        lambda p: cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], cv2.IMREAD_COLOR),
        lambda p: cv2.GaussianBlur(p, (0, 0), 2),
        lambda p: cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
        lambda p: cv2.resize(p[3:-3, 5:-5], (320, 180)),
    ],
    ids=["smaller", "wider", "paler", "jpeg", "blurred", "grey", "cropped by 3 percent"],
)
def test_a_changed_copy_keeps_its_hash(change):
    assert np.mean([share(scene(seed), change(scene(seed))) for seed in range(10)]) <= 0.12


def test_other_scenes_differ_in_half_of_the_bits():
    shares = [share(scene(a), scene(b)) for a in range(10) for b in range(a)]
    assert min(shares) > 0.25 and np.mean(shares) == pytest.approx(0.5, abs=0.05)
    assert share(scene(1), scene(1)[:, ::-1]) > 0.25


def test_plain_frames_have_no_hash_and_others_keep_their_time():
    plain = np.full((90, 160, 3), 40, np.uint8)
    clips = [[(3.0, plain), (3.5, scene(1)), (4.0, plain), (4.5, scene(2))], [(0.0, plain)], []]
    columns = Fingerprint().build()(pa.table({"clip_id": ["a", "b", "c"]}), clips)
    words, times = columns["frame_hashes"], columns["frame_hash_times_s"]
    assert words[0] == [*hash_of(scene(1)).tolist(), *hash_of(scene(2)).tolist()] and times[0] == [3.5, 4.5]
    assert (words[1], times[1]) == ([], [])
    assert (words[2], times[2], columns["error"]) == (None, None, [None, None, "no proxy frame"])
