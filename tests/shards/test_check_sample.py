"""Samples that are not what their index says, or that do not decode."""

import av
import numpy as np
import pytest
from clipset import gray_clip
from footage import noise_scene, write_video
from picturebook import encoded, noise, thirds, turned
from safetensors.numpy import save
from samples import make_sample
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
    at = len(broken.content) - 40
    late = Sample(broken.key, broken.content[:at] + bytes(len(broken.content) - at), broken.meta)
    root = pack(tmp_path / "late", train=[*TRAIN[:2], late])
    assert faults(root, "none") == faults(root, "first") == {}
    assert only_fault(root, "all")[:3] == ("train/00000", broken.key, "mp4")
    root = pack(tmp_path / "none", train=[Sample(broken.key, b"no video", broken.meta)])
    assert faults(root, "none") == {}
    assert only_fault(root)[2:] == ("mp4", only_fault(root, "all")[3])


@pytest.mark.parametrize(("fields", "decode"), [({"width": 98}, "first"), ({"num_frames": 6}, "all")])
def test_a_video_that_is_not_what_its_json_says(tmp_path, fields, decode):
    clip = gray_clip(7, 5)
    wrong = Sample(clip.key, clip.content, clip.meta | fields)
    assert only_fault(pack(tmp_path, train=[wrong]), decode)[1:3] == (wrong.key, "mp4")


@pytest.mark.parametrize("data", [save({"latents": np.zeros((2, 3), np.float16)})[:-1], b"\x80\x04pickle"])
def test_latents_that_are_no_tensors(tmp_path, data):
    clip = gray_clip(7, 5)
    broken = Sample(clip.key, data, clip.meta, "safetensors")
    _, key, member, told = only_fault(pack(tmp_path, train=[broken]))
    assert (key, member) == (clip.key, "safetensors") and told.startswith("cannot be read")


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"motion_bucket": 999}, "motion_bucket"),
        ({"motion_bucket": 256}, "motion_bucket"),
        ({"motion_bucket": -1}, "motion_bucket"),
        ({"duration_s": -5.0}, "duration_s"),
        ({"duration_s": 0.0}, "duration_s"),
        ({"fps": 0.0}, "fps"),
        ({"num_frames": 0}, "num_frames"),
        ({"width": 0}, "width"),
        ({"height": -64}, "height"),
        ({"motion_bucket": None}, None),
        ({"motion_bucket": 0}, None),
        ({"motion_bucket": 255}, None),
        ({"duration_s": None, "fps": None}, None),
    ],
)
def test_numbers_that_cannot_be(tmp_path, fields, bad):
    clip = gray_clip(7, 5)
    root = pack(tmp_path, train=[Sample(clip.key, clip.content, clip.meta | fields)])
    if bad is None:
        assert faults(root) == {}
    else:
        _, key, member, reason = only_fault(root, "none")
        assert (key, member) == (clip.key, "json") and reason.startswith(f"it says {bad}: ")


def test_a_sample_without_its_text(tmp_path, monkeypatch):
    whole = Sample.members
    monkeypatch.setattr(Sample, "members", lambda sample: {k: v for k, v in whole(sample).items() if k != "txt"})
    root = pack(tmp_path, train=TRAIN[:1], val=[])
    monkeypatch.undo()
    assert only_fault(root) == ("train/00000", KEYS[0], "txt", "the sample has none")


@pytest.mark.parametrize(
    ("left", "reason"),
    [(0.5, "its frame 1 is damaged"), (0.0, "1 of its packets do not decode"), (1.0, None)],
)
@pytest.mark.parametrize("decode", ["first", "all"])
def test_a_packet_that_was_damaged_before_it_was_packed(tmp_path, left, reason, decode):
    """Of five keyframes of noise the first, with zeros in place of its end: half of it decodes, and none of it does."""
    path = write_video(tmp_path / "noise.mp4", noise_scene(4, 5, size=(96, 64)), g="1", bf="0")
    with av.open(str(path)) as container:
        first = next(packet for packet in container.demux(video=0))
        at, end = first.pos + int(left * first.size), first.pos + first.size
    data = bytearray(path.read_bytes())
    data[at:end] = bytes(end - at)
    clip = make_sample(7, bytes(data), num_frames=5, width=96, height=64)
    found = faults(pack(tmp_path / "set", train=[clip]), decode)
    assert found == ({"train/00000": (clip.key, "mp4", reason)} if reason else {})


def picture_sample(data: bytes, extension: str = "jpg", **fields: object) -> Sample:
    """A sample that holds a picture of 60 x 40 pixels."""
    facts = {"fps": None, "num_frames": 1, "duration_s": None, "width": 60, "height": 40}
    clip = make_sample(7, data, **(facts | fields))
    return Sample(clip.key, data, clip.meta, extension)


@pytest.mark.parametrize(("kind", "extension"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")])
def test_pictures_that_are_well(tmp_path, kind, extension):
    root = pack(tmp_path, train=[picture_sample(encoded(thirds(), kind), extension)])
    assert [faults(root, decode) for decode in ("none", "first", "all")] == [{}] * 3


@pytest.mark.parametrize(
    ("data", "fields", "reason"),
    [
        (b"no picture", {}, "it is no picture to train on (no JPEG, PNG or WebP picture)"),
        (encoded(noise(1))[:1500], {}, "it is no picture to train on (does not decode: "),
        (encoded(thirds(), "PNG"), {}, "its bytes are those of a png file"),
        (encoded(thirds(41, 60)), {}, "it is displayed with 41x60 pixels, the json says 60x40"),
        (turned(6), {}, "it is displayed with 40x60 pixels, the json says 60x40"),
        (turned(6), {"width": 40, "height": 60}, None),
    ],
)
def test_pictures_that_are_not_what_their_json_says(tmp_path, data, fields, reason):
    sample = picture_sample(data, **fields)
    root = pack(tmp_path, train=[sample])
    assert faults(root, "none") == {}
    for decode in ("first", "all"):
        found = faults(root, decode)
        if reason is None:
            assert found == {}
        else:
            key, member, told = found["train/00000"]
            assert (key, member) == (sample.key, "jpg") and told.startswith(reason)


@pytest.mark.parametrize("decode", ["none", "first"])
def test_a_picture_is_one_frame(tmp_path, decode):
    sample = picture_sample(encoded(thirds()), num_frames=2)
    reason = only_fault(pack(tmp_path, train=[sample]), decode)[3]
    assert reason == "the json says 2 frames, a picture is one"
