"""Motion by dense optical flow, as Stable Video Diffusion defines it (arXiv 2311.15127), and the camera's part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pyarrow as pa

from curation.camera_motion import camera_part
from curation.scorer import Frames, Score, Scorer
from shards.schema import field

STEP_S = 0.5
"""Time between the frames that are compared."""
MAX_ASPECT = 8  # a longer picture gets a smaller short side, so that a strip of pixels takes no memory to speak of
MAX_CONTRAST = 4.0  # how steep the equalisation of gray levels may be; without a bound black noise moves
TOO_FEW = "fewer than two frames to compare"

Flow = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Two pictures to their flow: float32 (H, W, 2), where each pixel of the first is in the second, along x and y."""


@dataclass(frozen=True)
class Motion(Scorer):
    """Flow between proxy frames half a second apart, averaged to a map of a few pixels: its mean length.

    Of denser proxy frames those nearest to steps of half a second are compared. Where they are sparser, all are, and
    the flow counts per half a second: a thing that leaves and comes back in between is not seen.
    """

    flow: Literal["farneback", "dis"] = "farneback"
    """Method: Farneback's, as in SVD, or the faster Dense Inverse Search."""
    flow_short_side_px: int = 128
    """Short side at which flow is computed."""
    map_short_side_px: int = 16
    """Short side of the averaged map; the scores are in pixels of this map, so resolution does not matter."""

    @property
    def writes(self) -> pa.Schema:
        """Motion, and what of it the camera makes."""
        return motion_columns("motion", self.map_short_side_px)

    def build(self) -> Score:
        """A scorer on one core: the worker is the unit of parallelism."""
        import cv2

        cv2.setNumThreads(1)
        flow = FLOWS[self.flow]()

        def score(table: pa.Table, frames: Sequence[Frames]) -> dict[str, Sequence]:
            return motion_table("motion", [self._of_clip(clip, flow) for clip in frames])

        return score

    def _of_clip(self, frames: Frames, flow: Flow) -> tuple[float, float, float] | None:
        gray = [(time_s, _gray(picture, self.flow_short_side_px)) for time_s, picture in half_second_steps(frames)]
        pairs = pairwise(picture for _, picture in gray)
        maps = [averaged(flow(before, after), self.map_short_side_px) for before, after in pairs]
        return motion_of([time_s for time_s, _ in gray], maps)


def motion_columns(name: str, map_short_side_px: int) -> pa.Schema:
    """The three columns that tell of motion, for a scorer of whatever flow."""
    unit = f"px / {STEP_S} s"
    flow = f"mean length of optical flow over time and space, in pixels of a map of {map_short_side_px} px short side"
    camera = f"part of `{name}` that the camera makes, by pan, tilt, zoom and roll: mean length of the flow fitted"
    return pa.schema(
        [
            field(name, pa.float32(), flow, unit),
            field(f"{name}_camera", pa.float32(), camera, unit),
            field(f"{name}_local", pa.float32(), f"mean length of what is left of `{name}`: things that move", unit),
        ]
    )


def motion_table(name: str, rows: Sequence[tuple[float, float, float] | None]) -> dict[str, Sequence]:
    """Columns of `motion_columns`, and why a clip has none."""
    names, known = (name, f"{name}_camera", f"{name}_local"), [row or (None, None, None) for row in rows]
    columns: dict[str, Sequence] = {column: [row[place] for row in known] for place, column in enumerate(names)}
    return columns | {"error": [None if row else TOO_FEW for row in rows]}


def half_second_steps(frames: Frames) -> Frames:
    """Of a clip's frames those nearest to its first one and each half second after it; all where they are sparser."""
    if len(frames) <= 2:
        return frames
    times = np.array([time_s for time_s, _ in frames])
    num_steps = max(1, int((times[-1] - times[0]) / STEP_S + 0.5))
    instants = times[0] + STEP_S * np.arange(num_steps + 1)
    nearest = np.abs(times[None, :] - instants[:, None]).argmin(axis=1)
    return [frames[index] for index in np.unique(nearest)]


def motion_of(times_s: Sequence[float], maps: Sequence[np.ndarray]) -> tuple[float, float, float] | None:
    """Motion, the camera's part and the rest, in map pixels per half a second; None with fewer than two frames.

    Args:
        times_s: of the frames.
        maps: flow from each frame to the next, `averaged`: float32 (h, w, 2).
    """
    if not maps:
        return None
    flow, num_steps = np.stack(maps), (times_s[-1] - times_s[0]) / STEP_S
    camera = camera_part(flow)
    return _length(flow) / num_steps, _length(camera) / num_steps, _length(flow - camera) / num_steps


def _length(maps: np.ndarray) -> float:
    """Way that a place of the map goes in all steps together, mean over places."""
    return float(np.linalg.norm(maps, axis=3).mean(axis=(1, 2)).sum())


def averaged(flow: np.ndarray, short_side_px: int) -> np.ndarray:
    """Flow averaged over area to a short side, in pixels of the outcome: float32 (H, W, 2) to float32 (h, w, 2).

    Done as soon as a flow is known, so that no clip's flows are held together.
    """
    import cv2

    scale = short_side_px / min(flow.shape[:2])
    height, width = (max(1, round(side * scale)) for side in flow.shape[:2])
    return cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) * scale


def _gray(picture: np.ndarray, short_side_px: int) -> np.ndarray:
    """uint8 (H, W, 3) RGB to uint8 (h, w) gray at a short side, its histogram equalised as far as noise allows."""
    import cv2

    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    scale = min(short_side_px / min(gray.shape), MAX_ASPECT * short_side_px / max(gray.shape))
    height, width = (max(1, round(side * scale)) for side in gray.shape)
    small = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.createCLAHE(MAX_CONTRAST, tileGridSize=(1, 1)).apply(small)


def _farneback() -> Flow:
    """Farneback's polynomial expansion (SCIA 2003), with the parameters of OpenCV's examples and a Gaussian window."""
    import cv2

    settings = {"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2}

    def flow(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        nothing = np.zeros((*before.shape, 2), np.float32)
        return cv2.calcOpticalFlowFarneback(before, after, nothing, flags=cv2.OPTFLOW_FARNEBACK_GAUSSIAN, **settings)

    return flow


def _dis() -> Flow:
    """Dense Inverse Search (Kroeger et al., ECCV 2016), in OpenCV's preset `fast`."""
    import cv2

    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return lambda before, after: method.calc(before, after, None)  # pyright: ignore[reportCallIssue, reportArgumentType]


FLOWS: dict[str, Callable[[], Flow]] = {"farneback": _farneback, "dis": _dis}
"""The methods that need no weights."""
