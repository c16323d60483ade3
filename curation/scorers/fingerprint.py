"""A hash of what each proxy frame shows, by which `dedup` knows the same footage again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.scorer import Frames, Score, Scorer
from shards.schema import field

SIDE_PX = 32  # a frame is reduced to this square, so that its shape and size do not matter
NUM_BITS = 128


@dataclass(frozen=True)
class Fingerprint(Scorer):
    """The signs of the 128 lowest frequencies of each proxy frame's luma (pHash, zauner 2010, with more bits)."""

    min_contrast: float = 10.0
    """Spread of luma, 0..255, below which a frame has no hash: black, white and plain ones all look alike."""

    @property
    def writes(self) -> pa.Schema:
        """Hashes and their times."""
        hashes = "two words for each proxy frame that shows enough: signs of its 128 lowest frequencies"
        times = "the times of these frames, counted from the video's first frame"
        return pa.schema(
            [
                field("frame_hashes", pa.list_(pa.uint64()), hashes),
                field("frame_hash_times_s", pa.list_(pa.float32()), times, "s"),
            ]
        )

    def build(self) -> Score:
        """A scorer on one core: the worker is the unit of parallelism."""
        import cv2

        cv2.setNumThreads(1)

        def score(table: pa.Table, frames: Sequence[Frames]) -> dict[str, Sequence]:
            rows = [self._of_clip(clip) if clip else None for clip in frames]
            return {
                "frame_hashes": [row and row[0] for row in rows],
                "frame_hash_times_s": [row and row[1] for row in rows],
                "error": [None if row else "no proxy frame" for row in rows],
            }

        return score

    def _of_clip(self, frames: Frames) -> tuple[list[int], list[float]]:
        words, times = [], []
        for time_s, picture in frames:
            small = small_luma(picture)
            if small.std() >= self.min_contrast:
                words += frame_hash(small).tolist()
                times.append(time_s)
        return words, times


def small_luma(picture: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) RGB to luma, float32 (32, 32)."""
    import cv2

    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)


def frame_hash(small: np.ndarray) -> np.ndarray:
    """The signs of the cosine transform's lowest coefficients but the first: uint64 (2,), the lowest in the top bits.

    Args:
        small: float32 (32, 32) luma.
    """
    import cv2

    rows, columns = _lowest()
    bits = cv2.dct(small)[rows, columns] > 0
    return np.packbits(bits).view(">u8").astype(np.uint64)


def _lowest() -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the 128 lowest frequencies, by their sum, without the mean: (128,) int64 each."""
    rows, columns = np.indices((SIDE_PX, SIDE_PX)).reshape(2, -1)
    order = np.lexsort((rows, rows + columns))[1 : NUM_BITS + 1]
    return rows[order], columns[order]
