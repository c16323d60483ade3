import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from footage import noise_scene, small

from curation.measure import BLOCK_FRAMES, FrameLog, blockiness, sharpness


def log_of(pictures: list[np.ndarray]) -> FrameLog:
    log = FrameLog(Path(tempfile.gettempdir()))
    for number, picture in enumerate(pictures):
        log.add(small(10 * number, picture))
    return log


def grey(level: int) -> np.ndarray:
    return np.full((54, 96, 3), level, np.uint8)


@pytest.mark.parametrize("count", [1, 2, BLOCK_FRAMES, BLOCK_FRAMES + 1, 3 * BLOCK_FRAMES + 5])
def test_signals_are_the_same_wherever_a_block_ends(count):
    levels = np.random.default_rng(count).integers(0, 256, count)
    log = log_of([grey(level) for level in levels])
    summary = log.summary(0, 10 * count)
    assert summary["num_frames"] == count == len(log)
    assert summary["luma_mean"] == pytest.approx(levels.mean(), abs=0.5)
    assert summary["luma_std"] == pytest.approx(0, abs=1e-6)
    assert summary["black_share"] == pytest.approx((levels < 32).mean(), abs=0.02)
    changes = np.abs(np.diff(levels))
    assert summary["frame_difference"] == (pytest.approx(changes.mean(), abs=0.5) if count > 1 else None)


def test_a_span_knows_nothing_of_its_neighbours():
    log = log_of([grey(0)] * 70 + [grey(200)] * 70)
    assert log.summary(700, 1400) | {"content_hash": ""} == {
        "num_frames": 70,
        "luma_mean": 200,
        "luma_std": 0,
        "frame_difference": 0,
        "black_share": 0,
        "content_hash": "",
    }
    assert log.summary(0, 700)["black_share"] == 1


def test_asking_in_between_changes_nothing():
    pictures = noise_scene(1, 100)
    log, asked = FrameLog(Path(tempfile.gettempdir())), FrameLog(Path(tempfile.gettempdir()))
    for number, picture in enumerate(pictures):
        log.add(small(number, picture))
        asked.add(small(number, picture))
        asked.summary(0, number + 1)
    assert log.summary(20, 90) == asked.summary(20, 90)


def test_equal_frames_have_equal_hashes_and_one_other_frame_changes_them():
    pictures = noise_scene(1, 12)
    first, again = (log_of(pictures).summary(0, 120)["content_hash"] for _ in range(2))
    other = log_of([*pictures[:-1], pictures[0]]).summary(0, 120)["content_hash"]
    assert first == again != other


@pytest.mark.parametrize("height", [1, 63, 64, 65, 128, 200])
def test_sharpness_is_the_variance_of_the_laplacian(height):
    luma = np.random.default_rng(0).integers(0, 256, (height, 83)).astype(np.uint8)
    edges = cv2.Laplacian(luma.astype(np.float64), cv2.CV_64F)
    assert sharpness(luma) == pytest.approx(edges.var(), rel=1e-9)


def test_blur_takes_sharpness_away():
    luma = np.random.default_rng(0).integers(0, 256, (61, 83)).astype(np.uint8)
    assert sharpness(cv2.GaussianBlur(luma, (0, 0), 2)) < 0.05 * sharpness(luma)
    assert sharpness(np.full((9, 9), 7, np.uint8)) == 0


def test_blockiness_rises_as_quality_falls():
    noise = np.random.default_rng(2).normal(0, 1, (240, 320))
    luma = (128 + 800 * cv2.GaussianBlur(noise, (0, 0), 5)).clip(0, 255).astype(np.uint8)
    values = [blockiness(luma)]
    for quality in (60, 20, 5):
        _, jpeg = cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, quality])
        values.append(blockiness(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)))
    assert values[0] == pytest.approx(1, abs=0.1)
    assert values == sorted(values) and values[-1] > 2


def test_blockiness_in_closed_form():
    """Steps of 2 inside blocks and of 6 across their borders."""
    profile = np.cumsum([0, *(6 if x % 8 == 7 else 2 for x in range(63))])
    luma = (profile[None, :] + profile[:, None]).clip(0, 255)[:32, :32].astype(np.uint8)
    assert blockiness(luma) == pytest.approx(3)


@pytest.mark.parametrize("luma", [np.zeros((15, 99), np.uint8), np.full((64, 64), 9, np.uint8)])
def test_small_and_flat_pictures_have_no_blockiness(luma):
    assert blockiness(luma) is None
