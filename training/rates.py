"""The frame rates at which a clip may be seen: set ones, or its own, of which every s-th frame is taken."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Film runs at 23.976 frames a second and is called 24: one frame in a thousand may come twice.
RATE_SLACK = 1.002
SLACK_S = 1e-6


@dataclass(frozen=True)
class Rates:
    """Frames a second, or strides in frames.

    Raises:
        ValueError: both are told, or one of them is not above 0.
    """

    fps: Sequence[float] = ()
    """Frames a second; what is shown at those times is seen."""
    strides: Sequence[int] = ()
    """Every s-th frame is seen, from a whole frame on."""

    def __post_init__(self) -> None:
        for name, numbers in (("fps", self.fps), ("strides", self.strides)):
            if len(numbers) and min(numbers) <= 0:
                raise ValueError(f"data.{name} holds numbers above 0, not {list(numbers)}")
        if len(self.fps) and len(self.strides):
            raise ValueError("one of data.fps and data.strides is a list, the other is null")

    def __str__(self) -> str:
        numbers = " or ".join(f"{number:g}" for number in self.fps or self.strides)
        return f"at {numbers} a second" if self.fps else f"at a stride of {numbers}"

    def of(self, clip_fps: np.ndarray) -> np.ndarray:
        """(S, C) float64, frames a second of each choice for clips of so many (S,)."""
        if len(self.strides):
            return clip_fps[:, None] / np.asarray(self.strides, np.float64)
        return np.broadcast_to(np.asarray(self.fps, np.float64), (len(clip_fps), len(self.fps)))

    def fit(self, num_frames: int, num_of_clips: np.ndarray, clip_fps: np.ndarray) -> np.ndarray:
        """At which rates a window fits a clip: it lasts long enough, and no frame is taken twice.

        Args:
            num_frames: of the window.
            num_of_clips: (S,) frames of each clip.
            clip_fps: (S,) float64, frames a second of each clip.

        Returns:
            (S, C) bool.
        """
        rates, lasts_s = self.of(clip_fps), (num_of_clips - 1) / clip_fps
        return ((num_frames - 1) / rates <= lasts_s[:, None] + SLACK_S) & (rates <= clip_fps[:, None] * RATE_SLACK)

    def fitting(self, num_frames: int, row: dict) -> np.ndarray:
        """(F,) frames a second of the choices that fit a clip, told by its `num_frames` and `fps`."""
        clip_fps = np.array([row["fps"]], np.float64)
        return self.of(clip_fps)[0][self.fit(num_frames, np.array([row["num_frames"]]), clip_fps)[0]]

    def times(self, num_frames: int, fps: float, row: dict, of_start: float) -> np.ndarray:
        """When the frames of a window are shown.

        Args:
            num_frames: of the window.
            fps: of the window: one of `fitting`.
            row: `num_frames` and `fps` of the clip.
            of_start: 0 <= number < 1 that chooses the start among all that leave room.

        Returns:
            (T,) float64 seconds from the clip's first frame on. At a stride the middles of whole frames, so that small
            errors of the clip's rate take no neighbour; where the clip's rate varies, they go by its mean.
        """
        offsets = np.arange(num_frames) / fps
        if not len(self.strides):
            return of_start * max(0.0, (row["num_frames"] - 1) / row["fps"] - offsets[-1]) + offsets
        stride = round(row["fps"] / fps)
        room = row["num_frames"] - 1 - stride * (num_frames - 1)
        first = int(of_start * (room + 1))
        return (first + stride * np.arange(num_frames) + 0.5) / row["fps"]
