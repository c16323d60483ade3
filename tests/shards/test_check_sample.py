"""Samples that are not what their index says, or that do not decode."""

import pytest
from clipset import gray_clip
from spoil import (
    KEYS,
    TRAIN,
    change_index,
    faults,
    only_fault,
    pack,
    sign,
)

from shards.sample import Sample


@pytest.mark.parametrize(
    "fields",
    [
        {"num_frames": 6},
        {"fps": 25.0},
        {"captions": []},
        {"scores": [("motion", 0.5)]},
        {"motion_bucket": None},
        {"path": "/films/other.mp4"},
        {"config_hash": "other"},
    ],
)
def test_an_index_that_says_other_things_than_the_json(root, tar, fields):
    change_index(tar, 2, **fields)
    sign(root)
    _, key, member, reason = only_fault(root)
    assert (key, member) == (KEYS[5], "json") and reason.startswith(f"it says {next(iter(fields))}: ")


def test_videos_are_decoded_as_far_as_asked(tmp_path):
    """Damage that was there when the set was packed: hashes do not tell of it."""
    broken = gray_clip(7, 90)
    at = len(broken.video) - 40
    late = Sample(broken.key, broken.video[:at] + bytes(len(broken.video) - at), broken.meta)
    root = pack(tmp_path / "late", train=[*TRAIN[:2], late])
    assert faults(root, "none") == faults(root, "first") == {}
    assert only_fault(root, "all")[:3] == ("train/00000", broken.key, "mp4")
    root = pack(tmp_path / "none", train=[Sample(broken.key, b"no video", broken.meta)])
    assert faults(root, "none") == {}
    assert only_fault(root)[2:] == ("mp4", only_fault(root, "all")[3])


@pytest.mark.parametrize(("fields", "decode"), [({"width": 98}, "first"), ({"num_frames": 6}, "all")])
def test_a_video_that_is_not_what_its_json_says(tmp_path, fields, decode):
    clip = gray_clip(7, 5)
    wrong = Sample(clip.key, clip.video, clip.meta | fields)
    assert only_fault(pack(tmp_path, train=[wrong]), decode)[1:3] == (wrong.key, "mp4")
