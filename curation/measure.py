"""What `split` measures in its one pass over a video: a row a frame, small enough to keep for hours of footage."""

import hashlib
from array import array
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from curation.row_log import RowLog
from curation.small_frame import THUMBNAIL, SmallFrame

DIGEST_BYTES = 8
BLOCK_FRAMES = 64
BAND_LINES = 64
DARK = 32
BLACK_SHARE = 0.98
SIGNALS = np.dtype(
    [
        ("luma_mean", np.float32),
        ("luma_std", np.float32),
        ("change", np.float32),
        ("is_black", np.float32),
        ("digest", f"V{DIGEST_BYTES}"),
    ]
)


class FrameLog:
    """Time, luma, change, blackness and a hash of every frame: times in memory, the rest in a file without a name.

    So memory grows by 8 bytes a frame, and on disk by 24.
    """

    def __init__(self, folder: Path) -> None:
        """Args: folder: where the file goes; it is gone with this object, or with the process."""
        self._pts = array("q")
        self._signals = RowLog(SIGNALS, folder)
        # Frames are measured in blocks: numpy's price of a call is that of many thumbnails.
        self._block = np.zeros((BLOCK_FRAMES + 1, THUMBNAIL[1], THUMBNAIL[0]), np.uint8)
        self._digests = bytearray()
        self._filled = 0

    def add(self, frame: SmallFrame) -> None:
        """Takes the next frame."""
        if not self._pts:
            self._block[0] = frame.luma  # the frame before the first: no change
        self._pts.append(frame.pts)
        self._filled += 1
        self._block[self._filled] = frame.luma
        self._digests += hashlib.blake2b(frame.luma.tobytes(), digest_size=DIGEST_BYTES).digest()
        if self._filled == BLOCK_FRAMES:
            self._measure()

    def _measure(self) -> None:
        before, lumas = self._block[: self._filled], self._block[1 : self._filled + 1]
        flat = lumas.reshape(len(lumas), -1)
        signals = np.empty(len(lumas), SIGNALS)
        signals["luma_mean"], signals["luma_std"] = flat.mean(1), flat.std(1)
        signals["change"] = np.abs(np.subtract(lumas, before, dtype=np.int16)).mean((1, 2))
        signals["is_black"] = (flat < DARK).mean(1) >= BLACK_SHARE
        signals["digest"] = np.frombuffer(self._digests, f"V{DIGEST_BYTES}")
        self._signals.extend(signals)
        self._block[0] = self._block[self._filled]
        self._filled = 0
        self._digests.clear()

    def __len__(self) -> int:
        return len(self._pts)

    @property
    def pts(self) -> np.ndarray:
        """Times of all frames: int64 (num_frames,), ticks."""
        return np.frombuffer(self._pts, np.int64) if self._pts else np.empty(0, np.int64)

    def summary(self, start_pts: int, end_pts: int) -> dict[str, Any]:
        """The columns of `clips` that come from every frame of a span."""
        if self._filled:
            self._measure()
        low, high = (int(row) for row in np.searchsorted(self.pts, [start_pts, end_pts]))
        signals = self._signals.read(low, high)
        return {
            "num_frames": high - low,
            "luma_mean": _mean(signals["luma_mean"]),
            "luma_std": _mean(signals["luma_std"]),
            "frame_difference": _mean(signals["change"][1:]),
            "black_share": _mean(signals["is_black"]),
            "content_hash": hashlib.blake2b(signals["digest"].tobytes(), digest_size=DIGEST_BYTES).hexdigest(),
        }


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean(dtype=np.float64)) if len(values) else None


def sharpness(luma: np.ndarray) -> float:
    """Variance of the Laplacian of a luma plane, uint8 (H, W): high where edges are crisp."""
    total = squares = 0.0
    for top in range(0, len(luma), BAND_LINES):  # in bands, which stay in the processor's cache
        above = min(top, 1)
        band = cv2.Laplacian(luma[top - above : top + BAND_LINES + 1], cv2.CV_16S)[above:][:BAND_LINES]
        total += cv2.sumElems(band)[0]
        squares += cv2.norm(band, cv2.NORM_L2SQR)
    return squares / luma.size - (total / luma.size) ** 2


def blockiness(luma: np.ndarray) -> float | None:
    """How much larger the steps of luma are across the borders of 8x8 blocks than inside them; 1 where there are none.

    The mean of both directions, after Wang, Sheikh and Bovik, "No-reference perceptual quality assessment of JPEG
    compressed images" (ICIP 2002). Sees only blocks that lie as they were coded, not scaled or moved.

    Args:
        luma: uint8 (H, W), full size.

    Returns:
        None where the picture holds no two blocks in both directions, or is flat.
    """
    if min(luma.shape) < 16:
        return None
    columns = cv2.reduce(cv2.absdiff(luma[:, 1:], luma[:, :-1]), 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel()
    rows = cv2.reduce(cv2.absdiff(luma[1:], luma[:-1]), 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel()
    steps = [_border_and_inside(profile) for profile in (columns, rows)]
    if min(inside for _, inside in steps) == 0:
        return None
    return float(np.mean([border / inside for border, inside in steps]))


def _border_and_inside(profile: np.ndarray) -> tuple[float, float]:
    """Mean step between lines 7|8, 15|16, ..., and between all others."""
    border = profile[7::8]
    return float(border.mean()), float((profile.sum() - border.sum()) / (len(profile) - len(border)))
