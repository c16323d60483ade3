"""Which frame of a clip stands for it as a picture: told by what `split` measured; no picture is read.

The frame with the most detail among the clip's proxy frames, the earliest of equal ones. Black frames, flashes, and
those blurred by motion or by a missed transition have less than the others of their clip.
"""

import numpy as np
import pyarrow as pa

from curation.tables import Corpus

MEASURED = ["video_id", "pts", "sharpness", "blockiness"]


def detail(sharpness: np.ndarray, blockiness: np.ndarray) -> np.ndarray:
    """Sharpness without what the borders of 8x8 blocks add to it.

    Sharpness grows with the square of steps of luma. If steps across borders, one in eight, are b times as large as the
    others, then of 7 + b^2 only 8 would be there without blocks.

    Args:
        sharpness: (N,) of proxy frames, NaN where unknown.
        blockiness: (N,) likewise; unknown counts as 1: no blocks.

    Returns:
        (N,) float64, -1 where sharpness is unknown.
    """
    steps = np.fmax(blockiness.astype(np.float64), 1)
    return np.where(np.isfinite(sharpness), sharpness * (8 / (7 + steps**2)), -1)


class BestFrames:
    """The best frames of clips of some videos; holds two numbers a proxy frame."""

    def __init__(self, proxies: pa.Table) -> None:
        """Args: proxies: the columns `MEASURED`; a video's rows in the order of time."""
        ids, first_row = proxies["video_id"].to_pylist(), 0
        pts, *measures = (proxies[name].to_numpy() for name in MEASURED[1:])
        self._videos: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        worth = detail(*measures)
        for row in range(1, len(ids) + 1):
            if row == len(ids) or ids[row] != ids[first_row]:
                self._videos[ids[first_row]] = pts[first_row:row], worth[first_row:row]
                first_row = row

    def pts(self, video_id: str, start_pts: int, end_pts: int) -> int | None:
        """Time of the best proxy frame of a half-open span, ticks; None where none was kept or measured."""
        if video_id not in self._videos:
            return None
        pts, worth = self._videos[video_id]
        low, high = np.searchsorted(pts, [start_pts, end_pts])
        if low == high:
            return None
        best = int(low + worth[low:high].argmax())
        return int(pts[best]) if worth[best] >= 0 else None


def read_best_frames(corpus: Corpus, part: str) -> BestFrames:
    """Those of a part's videos.

    Raises:
        ValueError: the proxy frames are missing or damaged; names the file.
    """
    return BestFrames(corpus.read("proxies", part, MEASURED))
