"""Finds lines of text in a picture with PP-OCR's detector, whose weights lie in the wheel of rapidocr."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

WEIGHTS = "models/PP-OCRv6_det_small.onnx"
STRIDE = 32  # the network takes sides that are multiples of it
MAX_ASPECT = 4  # a longer picture is squeezed
INK = 0.3  # probability from which a pixel is taken for text; this and what follows as in rapidocr
MIN_LINE_PX = 3
MIN_CONFIDENCE = 0.5
UNCLIP = 1.6
MAX_LINE = 1 / 3  # height of a line over the picture's short side; where there is no text the network marks most of it
LEVELS = 127.5  # pixels are brought to -1..1

Line = tuple[Sequence[float], Sequence[float], float]
"""Centre, size and turn of a rectangle around a line of text, in pixels, as OpenCV writes it."""


def weights_path() -> Path:
    """The detector's weights.

    Raises:
        ValueError: they are not where rapidocr keeps them.
    """
    spec = find_spec("rapidocr")
    folders = spec.submodule_search_locations if spec else None
    path = Path(next(iter(folders)), WEIGHTS) if folders else None
    if path is None or not path.exists():
        raise ValueError(f"the installed rapidocr has no {WEIGHTS}: install the version that requirements.lock names")
    return path


class TextDetector:
    """The loaded network."""

    def __init__(self, threads: int) -> None:
        """Args: threads: of the CPU; fixed, because they may change the last digits."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(str(weights_path()), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def lines(self, picture: np.ndarray) -> list[Line]:
        """The lines of text in a picture.

        Args:
            picture: uint8 (H, W, 3) RGB; sides as `network_size` gives them.
        """
        pixels = cv2.dnn.blobFromImage(picture, 1 / LEVELS, mean=(LEVELS,) * 3, swapRB=True)
        (output,) = self._session.run(None, {self._input: pixels})
        return list(lines_of_map(np.asarray(output)[0, 0]))


def network_size(width: int, height: int, short_side_px: int) -> tuple[int, int]:
    """Width and height of a picture for the network: a short side and multiples of 32, aspect kept but for rounding."""
    scale = short_side_px / min(width, height)
    return _side(width * scale, short_side_px), _side(height * scale, short_side_px)


def _side(length: float, short_side_px: int) -> int:
    return max(1, round(min(length, MAX_ASPECT * short_side_px) / STRIDE)) * STRIDE


def lines_of_map(probability: np.ndarray) -> Iterator[Line]:
    """Rectangles around lines of text, from the network's map of their shrunk middles.

    As in Liao et al., "Real-time scene text detection with differentiable binarization" (AAAI 2020): each connected
    area becomes a rectangle, which grows by area * ratio / perimeter to all sides.

    Args:
        probability: float32 (H, W), 0..1.
    """
    ink = cv2.dilate((probability > INK).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(ink, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        (x, y), (width, height), turn = cv2.minAreaRect(contour)
        if min(width, height) < MIN_LINE_PX or _mean_inside(probability, contour) < MIN_CONFIDENCE:
            continue
        grow = UNCLIP * width * height / (width + height)  # on both sides together
        if min(width, height) + grow <= MAX_LINE * min(probability.shape):
            yield (x, y), (width + grow, height + grow), turn


def _mean_inside(probability: np.ndarray, contour: np.ndarray) -> float:
    """Mean inside the smallest rectangle around a contour."""
    left, top, width, height = cv2.boundingRect(contour)
    around = probability[top : top + height, left : left + width]
    (x, y), size, turn = cv2.minAreaRect(contour)
    return cv2.mean(around, mask=draw([((x - left, y - top), size, turn)], around.shape))[0]


def draw(lines: list[Line], shape: tuple[int, ...]) -> np.ndarray:
    """1 under the lines and 0 elsewhere: uint8 (H, W)."""
    mask = np.zeros(shape[:2], np.uint8)
    for line in lines:
        cv2.fillPoly(mask, [np.rint(cv2.boxPoints(line)).astype(np.int32)], 1)
    return mask
