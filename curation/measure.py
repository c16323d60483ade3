"""What `split` measures in its one pass over a video: a row a frame, small enough to keep for hours of footage."""

import hashlib
from array import array
from typing import Any

import cv2
import numpy as np

from curation.small_frame import SmallFrame

DIGEST_BYTES = 8


class FrameLog:
    """Time, luma, change and a hash of every frame; 28 bytes a frame."""

    def __init__(self) -> None:
        self._pts, self._luma_mean, self._luma_std, self._change = array("q"), array("f"), array("f"), array("f")
        self._digests = bytearray()
        self._last: np.ndarray | None = None

    def add(self, frame: SmallFrame) -> None:
        """Takes the next frame."""
        luma = frame.luma
        mean, std = cv2.meanStdDev(luma)
        change = 0.0 if self._last is None else cv2.norm(luma, self._last, cv2.NORM_L1) / luma.size
        self._pts.append(frame.pts)
        self._luma_mean.append(float(mean[0, 0]))
        self._luma_std.append(float(std[0, 0]))
        self._change.append(change)
        self._digests += hashlib.blake2b(luma.tobytes(), digest_size=DIGEST_BYTES).digest()
        self._last = luma

    def __len__(self) -> int:
        return len(self._pts)

    @property
    def pts(self) -> np.ndarray:
        """Times of all frames: int64 (num_frames,), ticks."""
        return np.frombuffer(self._pts, np.int64) if self._pts else np.empty(0, np.int64)

    def summary(self, start_pts: int, end_pts: int) -> dict[str, Any]:
        """The columns of `clips` that come from every frame of a span."""
        low, high = np.searchsorted(self.pts, [start_pts, end_pts])
        rows, change = slice(low, high), np.frombuffer(self._change, np.float32)[low + 1 : high]
        digests = bytes(self._digests[low * DIGEST_BYTES : high * DIGEST_BYTES])
        return {
            "num_frames": int(high - low),
            "luma_mean": float(np.frombuffer(self._luma_mean, np.float32)[rows].mean()),
            "luma_std": float(np.frombuffer(self._luma_std, np.float32)[rows].mean()),
            "frame_difference": float(change.mean()) if len(change) else None,
            "content_hash": hashlib.blake2b(digests, digest_size=DIGEST_BYTES).hexdigest(),
        }


def sharpness(luma: np.ndarray) -> float:
    """Variance of the Laplacian of a luma plane, uint8 (H, W): high where edges are crisp."""
    _, std = cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S))
    return float(std[0, 0] ** 2)
