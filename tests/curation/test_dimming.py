import numpy as np
import pytest

from curation.dimming import LAG, UNLIKENESS, dimmings
from curation.prolonged import prolonged
from curation.shot_features import NAMES, REACH, SMALLEST, features


def faded(length: int, to: float = 0.0, still: int = 20) -> np.ndarray:
    """Contrast of a picture that stands and then goes in even steps."""
    steps = 1 - (1 - to) * np.arange(1, length + 1) / (length + 1)
    return 0.2 * np.concatenate([np.ones(still), steps, np.full(still, to)]).astype(np.float32)


def still(contrast: np.ndarray) -> np.ndarray:
    """What `features` says of a picture that stands, of whose likeness little is left where it is faint."""
    around = np.pad(contrast, LAG // 2, mode="edge") if len(contrast) else contrast
    power = around[:-LAG] * around[LAG:]
    return 0.5 - 0.5 * power / np.sqrt(power**2 + SMALLEST**4)


def at(fps: float, contrast: np.ndarray) -> np.ndarray:
    return np.arange(len(contrast)) / fps


@pytest.mark.parametrize("length", [6, 27, 90])
@pytest.mark.parametrize("is_faint", [False, True])
def test_a_still_picture_that_fades_out_or_in_is_found_to_its_edges(length, is_faint):
    contrast = faded(length) * (0.05 if is_faint else 1)
    [(start, end)] = dimmings(contrast, still(contrast), at(25, contrast))
    edge = 1 + 0.03 * length
    assert 20 <= start <= 20 + edge and 20 + length - edge <= end <= 20 + length
    backwards = dimmings(contrast[::-1], still(contrast[::-1]), at(25, contrast))
    assert backwards == [(len(contrast) - end, len(contrast) - start)]


@pytest.mark.parametrize(
    "contrast",
    [
        faded(0),  # a cut to black
        faded(3),
        faded(150),  # night falls
        faded(30, to=0.4),  # a darker picture
        faded(30) * 0.02,  # noise
        np.zeros(40, np.float32),
        np.zeros(0, np.float32),
    ],
)
def test_what_is_no_fade_is_not_found(contrast):
    assert dimmings(contrast, still(contrast), at(25, contrast)) == []


def test_how_long_a_fade_may_be_is_told_in_seconds():
    for length, is_found in ((120, True), (220, True), (280, False)):
        contrast = faded(length)
        assert bool(dimmings(contrast, still(contrast), at(60, contrast))) == is_found


def test_a_picture_that_changes_as_it_goes_does_not_stand_still():
    contrast = faded(27)
    assert dimmings(contrast, np.full_like(contrast, 0.1), at(25, contrast)) == []


def test_a_fade_out_and_a_fade_in_with_trembling_contrast():
    contrast = np.concatenate([faded(25), faded(25)[::-1]])
    contrast *= 1 + 0.003 * (-1) ** np.arange(len(contrast))
    (out, back) = dimmings(contrast, still(contrast), at(25, contrast))
    assert 19 <= out[0] <= 22 and 43 <= out[1] <= 45
    assert 85 <= back[0] <= 87 and 108 <= back[1] <= 111


@pytest.mark.parametrize("frames_a_pixel", [1, 4])  # the slow one looks like a fade, but takes longer than any
def test_what_drifts_out_of_a_plain_picture_is_no_fade(frames_a_pixel):
    frames = np.full((160, 27, 48, 3), 90, np.uint8)
    for number, frame in enumerate(frames):
        left = max(0, 30 - number // frames_a_pixel)
        frame[8:20, :left] += np.arange(left, dtype=np.uint8)[::-1, None]
    numbers = features(prolonged(frames, REACH))
    contrast = np.exp(numbers[:, NAMES.index("contrast")]) - SMALLEST
    times_s, close = at(24, contrast), numbers[:, NAMES.index("unlikeness_1")]
    assert contrast[0] > 0.02 and contrast[-1] < 0.001
    assert dimmings(contrast, close, times_s)  # of frames too close to each other to tell
    assert dimmings(contrast, numbers[:, NAMES.index(UNLIKENESS)], times_s) == []
