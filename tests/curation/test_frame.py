import cv2
import numpy as np
import pyarrow as pa
import pytest
from footage import noise_scene

from curation.scorers.frame import Frame

SIZE = (320, 180)


def tiny() -> Frame:
    return Frame()


def row(pictures: list[np.ndarray], frame_difference: float | None = 1.0, num_frames: int = 48) -> dict:
    table = pa.table({"num_frames": [num_frames], "frame_difference": pa.array([frame_difference], pa.float32())})
    columns = Frame().build()(table, [[(k / 2, picture) for k, picture in enumerate(pictures)]])
    return {name: values[0] for name, values in columns.items()}


def pan(count: int = 5) -> list[np.ndarray]:
    return noise_scene(1, count, 5.0, SIZE)


def test_a_good_clip_has_no_fault():
    scores = row(pan(), 5.0)
    assert scores.pop("error") is None
    assert (scores.pop("crop_right"), scores.pop("crop_bottom")) == (1, 1)
    exposure = scores.pop("over_exposed_share"), scores.pop("under_exposed_share")
    assert max(exposure) < 0.1 and max(scores.values()) < 0.05


def test_the_crop_box_and_what_lies_outside():
    pictures = [cv2.copyMakeBorder(p[:140], 20, 20, 0, 0, cv2.BORDER_CONSTANT) for p in pan()]
    scores = row(pictures)
    assert [scores[f"crop_{side}"] for side in ("left", "right")] == [0, 1]
    assert scores["crop_top"] == pytest.approx(20 / 180, abs=0.01)
    assert scores["crop_bottom"] == pytest.approx(160 / 180, abs=0.01)
    assert scores["bar_share"] == pytest.approx(40 / 180, abs=0.02)


def test_exposure_counts_pixels_inside_the_bars():
    picture = np.full((180, 320, 3), 128, np.uint8)
    picture[20:160, 80:160], picture[20:160, 160:240] = 3, 252
    picture[:20] = picture[160:] = 0
    scores = row([picture, picture])
    assert scores["under_exposed_share"] == pytest.approx(0.25, abs=0.03)
    assert scores["over_exposed_share"] == pytest.approx(0.25, abs=0.03)


def test_levels_of_exposure_can_be_set():
    picture = np.full((90, 160, 3), 30, np.uint8)
    table = pa.table({"num_frames": [2], "frame_difference": [0.0]})
    columns = Frame(dark_level=40).build()(table, [[(0.0, picture), (0.5, picture)]])
    assert columns["under_exposed_share"] == [1.0]
    assert row([picture, picture])["under_exposed_share"] == 0.0


def test_a_still_clip_is_frozen_and_no_slideshow():
    scores = row(pan(1) * 5, 0.0)
    assert (scores["frozen_share"], scores["slideshow"]) == (1.0, 0.0)


def test_where_split_knows_no_change_from_frame_to_frame_slideshow_is_null():
    pictures = [picture for picture in pan(3) for _ in range(2)]
    scores = row(pictures, None)
    assert scores["slideshow"] is None and scores["error"] == "no frame_difference: no slideshow"
    assert scores["frozen_share"] == pytest.approx(0.6) and scores["residual_cut"] is not None
    assert row(pictures, 1.0)["slideshow"] > 0 and row(pictures, 0.0)["slideshow"] == 0


def test_one_frame_has_bars_and_exposure_but_no_steps():
    scores = row(pan(1), None, 1)
    assert scores["bar_share"] == 0 and scores["frozen_share"] is None
    assert "one proxy frame" in scores["error"]


def test_no_frame_has_a_reason():
    scores = row([])
    assert scores.pop("error") == "no proxy frame" and set(scores.values()) == {None}


def test_a_change_of_size_within_a_clip_is_borne():
    pictures = pan(4)
    pictures[2:] = [cv2.resize(picture, (160, 90)) for picture in pictures[2:]]
    assert row(pictures)["error"] is None


def test_long_clips_are_looked_at_in_part():
    """So memory does not grow with a clip: dark pictures between those that are looked at are not seen."""
    bright = np.full((36, 64, 3), 128, np.uint8)
    scores = row([bright, np.zeros_like(bright)] * 32)
    assert scores["under_exposed_share"] == 0.0
