import cv2
import numpy as np
import pytest
from footage import noise_scene

from curation.static_text import Look, static_and_scene

SIZE = (320, 192)
LINE = ((160.0, 96.0), (160.0, 24.0), 0.0)


class Pretended:
    """A detector that finds one line in every frame."""

    def lines(self, picture: np.ndarray) -> list:
        return [LINE]


def looks(texts: list[str], left: int = 90, shift_px: float = 9.0, opacity: float = 1.0) -> list[Look]:
    """Frames of a panned texture with a text each at the place of `LINE`."""
    frames = [picture // 2 for picture in noise_scene(1, len(texts), shift_px, SIZE)]
    for frame, text in zip(frames, texts, strict=True):
        plain = frame.copy()
        cv2.putText(frame, text, (left, 104), cv2.FONT_HERSHEY_DUPLEX, 0.7, (255, 255, 255), 1, cv2.LINE_AA)
        cv2.addWeighted(frame, opacity, plain, 1 - opacity, 0, frame)
    return [Look(frame, SIZE, Pretended()) for frame in frames]  # type: ignore[arg-type]


AREA = 160 * 24 / (320 * 192)


@pytest.mark.parametrize("opacity", [1.0, 0.5])
def test_the_same_text_is_static_whatever_moves_behind(opacity):
    static, scene = static_and_scene(looks(["Ask at the gate"] * 3, opacity=opacity))
    assert static == pytest.approx(AREA, rel=0.1) and scene == 0


def test_other_text_at_the_same_place_is_not():
    static, scene = static_and_scene(looks(["Ask at the gate", "We never knew it", "For what is here"]))
    assert static == 0 and scene == pytest.approx(AREA, rel=0.1)


def test_text_of_two_frames_out_of_three_is_static():
    static, _ = static_and_scene(looks(["", "Ask at the gate", "Ask at the gate"]))
    assert static == pytest.approx(AREA, rel=0.1)


def test_plain_frames_are_no_likeness():
    plain = [Look(np.full((192, 320, 3), 9, np.uint8), SIZE, Pretended()) for _ in range(2)]  # type: ignore[arg-type]
    assert plain[0].likeness(plain[1], LINE) == 0
    assert plain[0].area == pytest.approx(AREA, rel=0.1)
