"""Motion by dense optical flow, as Stable Video Diffusion defines it (arXiv 2311.15127, appendix on optical flow)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from curation.scorer import Frames, Score, Scorer
from shards.schema import field

STEP_S = 0.5


@dataclass(frozen=True)
class Motion(Scorer):
    """Farneback flow between proxy frames, averaged to a map of a few pixels, mean length over time and space."""

    flow_short_side_px: int = 128
    """Short side at which flow is computed."""
    map_short_side_px: int = 16
    """Short side of the averaged map; the score is in pixels of this map, so resolution does not matter."""

    @property
    def writes(self) -> pa.Schema:
        """One column."""
        doc = "mean length of optical flow over time and space, in pixels of a map of 16 px short side"
        return pa.schema([field("motion", pa.float32(), doc, f"px / {STEP_S} s")])

    def build(self) -> Score:
        """A scorer on one core: the worker is the unit of parallelism."""
        import cv2

        cv2.setNumThreads(1)

        def score(table: pa.Table, frames: Sequence[Frames]) -> dict[str, Sequence]:
            values = [self.of_clip(clip) for clip in frames]
            errors = ["fewer than two proxy frames" if value is None else None for value in values]
            return {"motion": values, "error": errors}

        return score

    def of_clip(self, frames: Frames) -> float | None:
        """Mean flow of one clip in map pixels per 0.5 s; None with fewer than two frames."""
        small = [(time_s, _shrink(picture, self.flow_short_side_px)) for time_s, picture in frames]
        steps = [self._flow_length(before, after) * STEP_S / (t1 - t0) for (t0, before), (t1, after) in pairwise(small)]
        return float(np.mean(steps)) if steps else None

    def _flow_length(self, before: np.ndarray, after: np.ndarray) -> float:
        """Mean length of the averaged flow map between two gray frames, in its own pixels."""
        import cv2

        flow = np.zeros((*before.shape, 2), np.float32)
        flow = cv2.calcOpticalFlowFarneback(
            before, after, flow, pyr_scale=0.5, levels=3, winsize=15, iterations=3, poly_n=5, poly_sigma=1.2, flags=0
        )
        scale = self.map_short_side_px / min(before.shape)
        size = tuple(max(1, round(side * scale)) for side in reversed(before.shape))
        averaged = cv2.resize(flow, size, interpolation=cv2.INTER_AREA) * scale
        return float(np.linalg.norm(averaged, axis=2).mean())


def _shrink(picture: np.ndarray, short_side_px: int) -> np.ndarray:
    """uint8 (H, W, 3) RGB to uint8 (h, w) gray at a short side."""
    import cv2

    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    scale = short_side_px / min(gray.shape)
    return cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
