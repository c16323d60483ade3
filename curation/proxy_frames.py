"""A few times a second: keeps a small upright JPEG, and measures what only the full-size picture tells."""

import math
from array import array
from collections.abc import Callable
from fractions import Fraction

import cv2
import numpy as np

from curation.config import SplitConfig
from curation.measure import blockiness, sharpness
from curation.small_frame import shrink
from shards.planes import is_full_range, planar
from shards.planes import luma as luma_plane
from shards.video import Frame

MEASURES = ("sharpness", "blockiness")
"""Columns of `proxies`, and of `clips` by their median."""
FULL_RANGE_GAIN = 255 / 219  # luma of limited range, brought to 0..255


class ProxyFrames:
    """Takes the frames of a video and keeps one for each instant."""

    def __init__(self, video_id: str, time_base: Fraction, config: SplitConfig, write: Callable[[dict], None]) -> None:
        """Args: time_base: seconds per tick; write: takes a row of `proxies`."""
        self._video_id, self._time_base, self._config, self._write = video_id, time_base, config, write
        rate = Fraction(config.proxy_fps).limit_denominator(1000)
        self._ticks = 1 / (rate * time_base)  # between two instants; a fraction
        self._next_pts: int | None = None
        self._pts = array("q")
        self._measured = {name: array("d") for name in MEASURES}

    def take(self, frame: Frame) -> None:
        """Keeps the frame if it is the first at or after the next instant."""
        if self._next_pts is None:
            self._first_pts = self._next_pts = frame.pts
        if frame.pts >= self._next_pts:
            self._keep(frame)
            instant = (frame.pts - self._first_pts) // self._ticks + 1
            self._next_pts = self._first_pts + math.ceil(instant * self._ticks)

    def _keep(self, frame: Frame) -> None:
        raw = planar(frame.raw)
        luma = luma_plane(raw)
        gain = 1.0 if is_full_range(raw) else FULL_RANGE_GAIN
        measured = {"sharpness": gain**2 * sharpness(luma), "blockiness": blockiness(luma)}
        self._pts.append(frame.pts)
        for name, value in measured.items():
            self._measured[name].append(math.nan if value is None else value)
        time_s = float((frame.pts - self._first_pts) * self._time_base)
        row = {"video_id": self._video_id, "pts": frame.pts, "time_s": time_s}
        self._write(row | measured | {"jpeg": self._jpeg(frame)})

    def _jpeg(self, frame: Frame) -> bytes:
        width, height = fit_short_side(frame.size, self._config.proxy_short_side_px)
        stored = (height, width) if frame.rotation_deg % 180 else (width, height)
        options = [cv2.IMWRITE_JPEG_QUALITY, self._config.proxy_quality]
        return cv2.imencode(".jpg", frame.upright(shrink(frame, stored, "bgr24", is_exact=False)), options)[1].tobytes()

    def summary(self, start_pts: int, end_pts: int) -> dict[str, float | None]:
        """The columns of `clips` that come from the instants of a half-open span: medians, null without any."""
        low, high = np.searchsorted(self._pts, [start_pts, end_pts])
        return {name: _median(values[low:high]) for name, values in self._measured.items()}


def _median(values: array) -> float | None:
    known = sorted(value for value in values if not math.isnan(value))
    return known[len(known) // 2] if known else None


def fit_short_side(size: tuple[int, int], short_side_px: int) -> tuple[int, int]:
    """Width and height scaled to a short side, never enlarged; at least one pixel each."""
    scale = min(1.0, short_side_px / min(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
