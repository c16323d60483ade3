import cv2
import numpy as np
import pytest
from footage import noise_scene

from curation.text_detector import TextDetector, draw, lines_of_map, network_size, weights_path

WHITE = (255, 255, 255)


@pytest.fixture(scope="module")
def detector() -> TextDetector:
    return TextDetector(threads=1)


def written(text: str = "Ask at the gate", scale: float = 1.2) -> np.ndarray:
    """A texture with a line of text: uint8 (352, 640, 3)."""
    picture = noise_scene(1, 1, 0.0, (640, 352))[0] // 2
    return cv2.putText(picture, text, (100, 200), cv2.FONT_HERSHEY_DUPLEX, scale, WHITE, 2, cv2.LINE_AA)


def test_a_line_is_found_where_it_was_written(detector):
    (width, height), _ = cv2.getTextSize("Ask at the gate", cv2.FONT_HERSHEY_DUPLEX, 1.2, 2)
    truth = np.zeros((352, 640), np.uint8)
    truth[200 - height : 208, 100 : 100 + width] = 1
    found = draw(detector.lines(written()), truth.shape)
    assert (found & truth).sum() / (found | truth).sum() > 0.6


def test_a_texture_holds_no_text(detector):
    assert detector.lines(noise_scene(1, 1, 0.0, (640, 352))[0]) == []


def test_it_finds_what_rapidocr_finds(detector):
    """The same network with rapidocr's own steps before and after it."""
    from rapidocr.ch_ppocr_det.utils import DBPostProcess, DetPreProcess

    picture = written()
    pixels = DetPreProcess(352, "min")(picture[..., ::-1])
    (output,) = detector._session.run(None, {detector._input: pixels})
    post = DBPostProcess(thresh=0.3, box_thresh=0.5, unclip_ratio=1.6, use_dilation=True)
    theirs = np.zeros((352, 640), np.uint8)
    for box in post(output, (352, 640))[0]:
        cv2.fillPoly(theirs, [box.astype(np.int32)], 1)
    mine = draw(detector.lines(picture), theirs.shape)
    assert (mine & theirs).sum() / (mine | theirs).sum() > 0.95


def test_a_rectangle_grows_by_area_over_perimeter():
    probability = np.zeros((320, 320), np.float32)
    probability[100:110, 100:200] = 0.9
    ((_, size, _),) = lines_of_map(probability)
    grow = 1.6 * 100 * 10 / 110
    assert sorted(size) == pytest.approx([10 + grow, 100 + grow], abs=3)


def test_faint_small_and_giant_areas_are_no_lines():
    probability = np.zeros((320, 320), np.float32)
    probability[10:20, 10:100] = 0.4
    probability[50:51, 50:51] = 1.0
    probability[100:300, 60:300] = 1.0
    assert list(lines_of_map(probability)) == []


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((640, 360), (640, 352)), ((360, 640), (352, 640)), ((9000, 90), (1408, 352)), ((1, 1), (352, 352))],
)
def test_sides_of_the_network(size, wanted):
    width, height = size
    assert network_size(width, height, 352) == wanted


def test_weights_that_are_missing_are_named(monkeypatch):
    monkeypatch.setattr("curation.text_detector.WEIGHTS", "models/none.onnx")
    with pytest.raises(ValueError, match=r"models/none\.onnx.*requirements\.lock"):
        weights_path()
