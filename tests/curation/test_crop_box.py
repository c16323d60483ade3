import cv2
import numpy as np
import pytest
from footage import noise_scene

from curation.crop_box import CropBox, find_crop_box

WHOLE = CropBox(0, 0, 1, 1)
SIZE = (320, 180)


def scene(gain: float = 1.0, count: int = 6, seed: int = 1) -> np.ndarray:
    """Luma of a moving texture: uint8 (T, 180, 320)."""
    frames = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in noise_scene(seed, count, 4.0, SIZE)]
    return np.clip(np.stack(frames) * gain, 0, 255).astype(np.uint8)


def barred(frames: np.ndarray, rows: tuple[int, int] = (0, 0), columns: tuple[int, int] = (0, 0), level: int = 0):
    """The frames with bars of so many rows above and below, and columns left and right."""
    frames = frames.copy()
    frames[:, : rows[0]] = frames[:, 180 - rows[1] :] = level
    frames[:, :, : columns[0]] = frames[:, :, 320 - columns[1] :] = level
    return frames


def noisy(frames: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, frames.shape)
    return np.clip(frames + noise, 0, 255).astype(np.uint8)


def subtitled(frames: np.ndarray, baselines: list[int], texts: tuple[str, ...], scale: float = 0.6) -> np.ndarray:
    frames = frames.copy()
    for number, frame in enumerate(frames):
        text = texts[number * len(texts) // len(frames)]
        for baseline in baselines:
            left = (320 - cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, 1)[0][0]) // 2
            cv2.putText(frame, text, (left, baseline), cv2.FONT_HERSHEY_DUPLEX, scale, 255, 1, cv2.LINE_AA)
    return frames


def assert_box(found: CropBox, left: float, top: float, right: float, bottom: float) -> None:
    assert found == pytest.approx((left / 320, top / 180, right / 320, bottom / 180), abs=0.01)


def test_a_picture_without_bars_is_whole():
    assert find_crop_box(scene()) == WHOLE
    assert WHOLE.area == 1


@pytest.mark.parametrize("rows", [(20, 20), (40, 40), (3, 3), (24, 0), (0, 24)])
def test_letterbox(rows):
    assert_box(find_crop_box(barred(scene(), rows)), 0, rows[0], 320, 180 - rows[1])


def test_pillarbox_of_an_upright_picture():
    assert_box(find_crop_box(barred(scene(), columns=(109, 109))), 109, 0, 211, 180)


def test_bars_on_all_sides():
    box = find_crop_box(barred(scene(), (20, 20), (40, 40)))
    assert_box(box, 40, 20, 280, 160)
    assert box.area == pytest.approx(240 * 140 / (320 * 180))


@pytest.mark.parametrize("sigma", [3, 10])
def test_noise_in_gray_bars(sigma):
    assert_box(find_crop_box(noisy(barred(scene(), (22, 22), level=18), sigma)), 0, 22, 320, 158)


@pytest.mark.parametrize("baselines", [[174], [170, 178], [160]], ids=["in the bar", "two lines", "across its edge"])
@pytest.mark.parametrize("texts", [("and that is why we came",), ("we came here", "to see the river")])
def test_subtitles_in_a_bar(baselines, texts):
    assert_box(find_crop_box(subtitled(barred(scene(), (24, 24)), baselines, texts)), 0, 24, 320, 156)


@pytest.mark.parametrize("gain", [0.05, 0.1, 0.3])
def test_a_dark_scene_is_no_bar(gain):
    assert find_crop_box(scene(gain)) == WHOLE
    assert find_crop_box(noisy(scene(gain), 3)) == WHOLE


def test_bars_of_a_dark_scene_are_found():
    assert_box(find_crop_box(barred(scene(0.2), (22, 22))), 0, 22, 320, 158)


def test_a_dark_sky_with_a_ragged_end_is_no_bar():
    frames = scene()
    for column in range(320):
        frames[:, : 40 + round(15 * np.sin(column / 20)), column] = 2
    assert find_crop_box(frames) == WHOLE


@pytest.mark.parametrize("level", [0, 255, 90])
def test_a_plain_frame_is_whole(level):
    assert find_crop_box(np.full((3, 180, 320), level, np.uint8)) == WHOLE


@pytest.mark.parametrize("size", [(1, 1), (2, 200), (64, 3)])
def test_tiny_frames_have_a_box(size):
    box = find_crop_box(np.full((2, *size), 7, np.uint8))
    assert box == WHOLE and box.crop(np.zeros((2, *size))).size


def test_cropping_keeps_what_is_inside():
    frames = barred(np.full((2, 180, 320), 200, np.uint8), (20, 20), (40, 40))
    assert find_crop_box(frames).crop(frames).shape == (2, 140, 240)
    assert find_crop_box(frames).crop(frames).min() == 200
