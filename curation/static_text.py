"""Tells text that is burnt in from text of the scene: the edges under it are the same in other frames of the clip."""

from collections.abc import Sequence

import cv2
import numpy as np

from curation.text_detector import Line, TextDetector, draw

SAME = 0.6  # likeness of edges from which it is the same text at the same place; overlays have 0.8 and more


class Look:
    """The text of one frame, and the edges under it."""

    def __init__(self, picture: np.ndarray, size: tuple[int, int], detector: TextDetector) -> None:
        """Args: picture: uint8 (H, W, 3) RGB; size: width and height at which text is looked for."""
        shrinks = size[0] < picture.shape[1]
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        self.shape = picture.shape[:2]
        self.lines = detector.lines(picture)
        smooth = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
        self._edges = np.stack([cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)])

    @property
    def area(self) -> float:
        """Share of the frame under text, 0..1."""
        return float(draw(self.lines, self.shape).mean())

    def likeness(self, other: "Look", line: Line) -> float:
        """Cosine of the gradients of luma under a line in two frames, -1..1."""
        under = draw([line], self.shape).astype(bool)
        one, two = self._edges[:, under], other._edges[:, under]
        norm = float(np.sqrt((one * one).sum() * (two * two).sum()))
        return float((one * two).sum()) / norm if norm else 0.0


def static_and_scene(looks: Sequence[Look]) -> tuple[float, float]:
    """Share of the frame under text that is the same and in place in two frames, and mean share under other text.

    Args:
        looks: two or more, of one size.
    """
    stays: list[Line] = []
    moves: list[list[Line]] = []
    for look in looks:
        others = [other for other in looks if other is not look]
        in_place = [max(look.likeness(other, line) for other in others) >= SAME for line in look.lines]
        stays += [line for line, stay in zip(look.lines, in_place, strict=True) if stay]
        moves.append([line for line, stay in zip(look.lines, in_place, strict=True) if not stay])
    static = draw(stays, looks[0].shape)
    scene = [(draw(lines, looks[0].shape) > static).mean() for lines in moves]
    return float(static.mean()), float(np.mean(scene))
