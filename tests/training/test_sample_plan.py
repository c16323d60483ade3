import numpy as np
import pyarrow as pa
import pytest

from shards.schema import INDEX
from training.bucket import Bucket
from training.rates import Rates
from training.sample_plan import Needs, Plan, plan_samples

CLIP, PICTURE = Bucket(8, 64, 96), Bucket(1, 64, 96)
NEEDS = Needs(scores=("motion",))
PLAIN = {"num_frames": 50, "fps": 25.0, "width": 320, "height": 180}
PLAIN |= {"captions": [{"text": "a", "source": "x"}], "scores": [("motion", 0.5)]}


def index_of(*rows: dict) -> pa.Table:
    """An index whose sample k has the key "k" and, but for what is given, what a usable one has."""
    full = [dict.fromkeys(INDEX.names) | PLAIN | {"key": str(k)} | row for k, row in enumerate(rows)]
    return pa.Table.from_pylist(full, schema=INDEX)


def plan(*rows: dict, bucket=CLIP, fps=(8,), needs=NEEDS) -> Plan:
    return plan_samples(index_of(*rows), [bucket], Rates(fps), needs, "sets/a")


def reasons(*rows: dict, **kwargs) -> list[str]:
    return plan({}, *rows, **kwargs).skipped["reason"].to_pylist()


def test_each_reason_is_told_with_its_numbers():
    found = plan(
        {},
        {"captions": []},
        {"scores": [("sharpness", 1.0)]},
        {"width": 94},
        {},
        {"num_frames": 16},
        {"fps": 5.0},
        {"captions": None, "num_frames": 2},
        {"num_frames": 22},
    )
    assert found.usable.tolist() == [0, 4] and found.usable.dtype == np.int64
    assert [tuple(row.values()) for row in found.skipped.to_pylist()] == [
        ("1", "no caption", ""),
        ("2", "no score motion", ""),
        ("3", "smaller than the bucket", "94x180 pixels, the bucket has 96x64"),
        ("5", "too short", "0.60 s, 8 frames at 8 a second take 0.88 s"),
        ("6", "too few frames a second", "5.00, the lowest rate wanted is 8"),
        ("7", "no caption", ""),
        ("8", "too short", "0.84 s, 8 frames at 8 a second take 0.88 s"),
    ]
    assert found.counts == {
        "no caption": 2,
        "too short": 2,
        "no score motion": 1,
        "smaller than the bucket": 1,
        "too few frames a second": 1,
    }


def test_the_limits_are_exact():
    """8 frames at 8 a second need a last frame at 7/8 s: number 21 of a clip of 24 frames a second."""
    assert reasons({"num_frames": 22, "fps": 24.0}, {"width": 96, "height": 64}, {"num_frames": 8, "fps": 8.0}) == []
    short, narrow, low = {"num_frames": 21, "fps": 24.0}, {"width": 95}, {"height": 63}
    assert reasons(short, narrow, low) == ["too short", *["smaller than the bucket"] * 2]
    assert reasons({"num_frames": 7, "fps": 8.0}) == ["too short"]


def test_one_rate_that_fits_is_enough():
    short = {"num_frames": 16, "fps": 24.0}
    assert reasons(short, fps=(8, 12)) == []
    assert reasons(short, fps=(8, 10)) == ["too short"]
    assert plan({}, short, fps=(8, 10, 100)).skipped["detail"][0].as_py().endswith("at 10 a second take 0.70 s")
    rates, clips = Rates((8.0, 12.0, 24.0, 30.0)), (np.array([16, 50]), np.array([24.0, 12.0]))
    assert rates.fit(8, *clips).tolist() == [[False, True, True, False], [True, True, False, False]]


def test_film_counts_as_24_frames_a_second():
    assert reasons({"num_frames": 50, "fps": 24000 / 1001}, fps=(24,)) == []
    assert reasons({"num_frames": 50, "fps": 23.9}, fps=(24,)) == ["too few frames a second"]


def test_pictures_need_no_time_and_no_rate():
    assert reasons({"num_frames": 1}, {"fps": 1.0}, bucket=PICTURE, fps=()) == []
    with pytest.raises(ValueError, match="needs rates to take frames at"):
        plan({}, fps=())
    with pytest.raises(ValueError, match=r"data\.fps holds numbers above 0"):
        plan({}, fps=(0,))


def test_what_is_not_needed_may_be_missing():
    assert reasons({"captions": [], "scores": []}, needs=Needs("none")) == []


@pytest.mark.parametrize("captions", [None, [], [{"text": None}], [{"text": ""}, {"text": " \n"}]])
def test_a_blank_caption_is_none(captions):
    assert reasons({"captions": captions}) == ["no caption"]
    mixed = [*(captions or []), {"text": " b "}]
    assert reasons({"captions": mixed}) == []


@pytest.mark.parametrize("scores", [None, [], [("motion", None)], [("motion", float("nan"))], [("emotion", 1.0)]])
def test_a_score_that_is_not_there(scores):
    assert reasons({"scores": scores}) == ["no score motion"]


def test_a_bucket_of_motion_that_is_not_there():
    needs = Needs(motion_bucket=True)
    found = plan({"motion_bucket": 0}, {"motion_bucket": None}, {"motion_bucket": 255}, needs=needs)
    assert found.usable.tolist() == [0, 2] and found.counts == {"no motion bucket": 1}
    assert reasons({"motion_bucket": None}) == []
    with pytest.raises(ValueError, match=r"sets/a has no `motion_bucket` that .* \(`pack.motion_column`\), and pack"):
        plan({}, {"motion_bucket": None}, needs=needs)


def test_what_no_sample_has_stops_before_the_first_step():
    row = {"scores": [("sharpness", 1.0), ("luma", 2.0)]}
    with pytest.raises(ValueError, match=r"sets/a has no score `motion`.* its scores: luma, sharpness; score the cor"):
        plan(row, row)
    with pytest.raises(ValueError, match="its scores: none"):
        plan({"scores": None})
    with pytest.raises(ValueError, match="sets/a has no captions"):
        plan({"captions": []}, {"captions": None})


def test_a_picture_fits_a_bucket_of_pictures_alone():
    rows = {"fps": None, "num_frames": 1, "motion_bucket": None}, {}
    found = plan(*rows)
    assert found.usable.tolist() == [1] and found.counts == {"a picture": 1}
    assert plan(*rows, bucket=PICTURE).usable.tolist() == [0, 1]


def test_each_sample_goes_to_the_largest_bucket_that_cuts_off_little():
    wide, tall, square = Bucket(4, 64, 96), Bucket(4, 96, 64), Bucket(4, 80, 80)
    short = Bucket(1, 64, 96)
    sizes = [(96, 64), (192, 128), (64, 96), (100, 100), (300, 40), (90, 64)]
    rows = [{"width": width, "height": height} for width, height in sizes] + [{"num_frames": 1}]
    found = plan_samples(index_of(*rows), [short, square, tall, wide], Rates([8]), NEEDS, "sets/a")
    of = dict(zip(found.usable.tolist(), found.buckets.tolist(), strict=True))
    assert of == {0: 3, 1: 3, 2: 2, 3: 1, 6: 0}
    assert found.counts == {"smaller than the bucket": 2}
    assert all("96x64" in detail for detail in found.skipped["detail"].to_pylist()), "told of the smallest bucket"


def test_almost_the_same_shape_goes_by_size():
    small, large = Bucket(4, 320, 576), Bucket(4, 512, 896)
    rows = [{"width": 1920, "height": 1080}, {"width": 800, "height": 450}]
    assert plan_samples(index_of(*rows), [small, large], Rates([8]), NEEDS, "a").buckets.tolist() == [1, 0]


def test_an_empty_plan_counts_its_reasons():
    rows = [{"num_frames": 3}, {"num_frames": 2}, {"width": 10}]
    with pytest.raises(ValueError, match=r"nothing of sets/a .*: 2 too short, 1 smaller than the bucket"):
        plan(*rows)
    with pytest.raises(ValueError, match="it is empty"):
        plan()


def test_an_index_of_several_shards_and_a_slice_of_one():
    rows = [{"captions": [] if k % 3 == 0 else PLAIN["captions"] * k} for k in range(12)]
    whole = index_of(*rows)
    joined = pa.concat_tables([whole.slice(0, 5), whole.slice(5, 0), whole.slice(5)])
    for index in (whole, joined):
        found = plan_samples(index, [CLIP], Rates([8]), Needs(scores=("motion",)), "a")
        assert found.skipped["key"].to_pylist() == ["0", "3", "6", "9"] and len(found.usable) == 8
    part = plan_samples(joined.slice(4), [CLIP], Rates([8]), Needs(), "a")
    assert part.skipped["key"].to_pylist() == ["6", "9"] and part.usable.tolist() == [0, 1, 3, 4, 6, 7]


@pytest.mark.parametrize("numbers", [(0, 64, 96), (8, 0, 96), (8, 64, -2), (8, 63, 96), (8, 64, 97)])
def test_a_bucket_has_frames_and_even_sides(numbers):
    with pytest.raises(ValueError, match="even sides"):
        Bucket(*numbers)
