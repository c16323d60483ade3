import cv2
import numpy as np
import pyarrow as pa
import pytest
from footage import noise_scene

from curation.scorers.text_area import TextArea

SIZE = (320, 192)


def tiny() -> TextArea:
    return TextArea(short_side_px=192)


@pytest.fixture(scope="module")
def score():
    return tiny().build()


def row(score, pictures: list[np.ndarray]) -> dict:
    columns = score(pa.table({"clip_id": ["a"]}), [[(k / 2, picture) for k, picture in enumerate(pictures)]])
    return {name: values[0] for name, values in columns.items()}


def pan(count: int = 3) -> list[np.ndarray]:
    return [picture // 2 for picture in noise_scene(1, count, 9.0, SIZE)]


def write(picture: np.ndarray, left: int, baseline: int, text: str = "Ask at the gate") -> np.ndarray:
    font = cv2.FONT_HERSHEY_DUPLEX
    return cv2.putText(picture, text, (left, baseline), font, 0.8, (255, 255, 255), 1, cv2.LINE_AA)


def test_a_clip_without_text_has_none(score):
    scores = row(score, pan())
    assert scores.pop("error") is None and set(scores.values()) == {0.0}


def test_burnt_in_text_stays_in_place(score):
    scores = row(score, [write(picture, 60, 150) for picture in pan()])
    (width, height), below = cv2.getTextSize("Ask at the gate", cv2.FONT_HERSHEY_DUPLEX, 0.8, 1)
    drawn = width * (height + below) / (SIZE[0] * SIZE[1])
    assert scores["static_text_area"] == pytest.approx(drawn, rel=0.35)
    assert scores["text_area"] == pytest.approx(scores["static_text_area"], rel=0.2)
    assert scores["scene_text_area"] < 0.1 * drawn


@pytest.mark.parametrize("shift_px", [4, 20])
def test_text_of_the_scene_moves_with_it(score, shift_px):
    scores = row(score, [write(picture, 30 + shift_px * k, 100 + shift_px * k // 4) for k, picture in enumerate(pan())])
    assert scores["static_text_area"] == 0
    assert scores["scene_text_area"] == pytest.approx(scores["text_area"], rel=0.01) and scores["text_area"] > 0.02


def test_each_frame_is_told_apart(score):
    pictures = pan(5)
    write(pictures[2], 60, 100)
    scores = row(score, pictures)
    assert scores["text_area_first"] == scores["text_area_last"] == 0 < scores["text_area_middle"]
    assert scores["text_area"] == pytest.approx(scores["text_area_middle"] / 3)
    assert scores["static_text_area"] == 0


def test_text_that_fades_in_is_burnt_in_all_the_same(score):
    pictures = pan()
    for picture in pictures[1:]:
        write(picture, 60, 150)
    assert row(score, pictures)["static_text_area"] > 0.02


def test_one_frame_has_text_but_nothing_stays(score):
    scores = row(score, [write(pan(1)[0], 60, 100)])
    assert scores["text_area"] == scores["text_area_first"] > 0.02
    assert scores["static_text_area"] is None and "one proxy frame" in scores["error"]


def test_no_frame_has_a_reason(score):
    scores = row(score, [])
    assert scores.pop("error") == "no proxy frame" and set(scores.values()) == {None}


@pytest.mark.parametrize("size", [(8, 8), (640, 16), (16, 640)])
def test_odd_sizes_are_borne(score, size):
    assert row(score, [np.full((size[1], size[0], 3), 90, np.uint8)] * 2)["error"] is None


def test_a_table_knows_its_weights():
    tiny().prepare()
    (path,) = tiny().weights().values()
    assert path is not None and path.suffix == ".onnx"


@pytest.mark.parametrize("wrong", [{"short_side_px": 100}, {"short_side_px": 0}, {"threads": 0}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="multiple of 32"):
        TextArea(**wrong)


def test_it_is_quiet(score, capfd):
    row(tiny().build(), pan(1))
    assert capfd.readouterr() == ("", "")
