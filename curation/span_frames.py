"""Pictures of a span of a video, a few a second, for scorers that need more than proxy frames; read in a child."""

import math
from fractions import Fraction
from functools import partial
from itertools import pairwise

import numpy as np

from curation.addresses import open_source
from curation.allowance import Allowance
from curation.answer import MAX_BLOB_BYTES
from curation.child import Child, ChildDied, ChildUnavailable
from curation.child_error import ChildRaised
from curation.config import LimitsConfig
from curation.scorer import Misfit
from shards.video import Video, VideoError, open_video

Size = tuple[int, int]
"""Width and height of a picture, pixels."""


class SpanReader:
    """Reads spans in a process that may crash, hang or leak, as `split` and `pack` do."""

    def __init__(self, step_s: float, limits: LimitsConfig) -> None:
        """Prepares; the process starts with the first span.

        Args:
            step_s: between two pictures, seconds.
            limits: of one span.
        """
        self._step_s, self._limits = step_s, limits
        self._child = Child(limits.wall_s, limits.attempts, limits.silence_s, limits.memory_bytes)

    def frames(self, path: str, start_pts: int, end_pts: int, size: Size) -> list[tuple[float, np.ndarray]]:
        """The first frame of a span and those at or after each further step: (seconds, uint8 (H, W, 3) RGB).

        Raises:
            VideoError: they cannot be had, for whatever reason that lies in the video.
            Misfit: the disk or the network is not there, of which no video is to blame.
        """
        span = (path, start_pts, end_pts, self._step_s, size, self._limits)
        try:
            return self._child.call(read_span, *span, read=partial(_pictures, size))
        except (ChildDied, ChildRaised) as error:  # whatever a poisonous file provokes costs this clip alone
            raise VideoError(str(error)) from error
        except (OSError, ChildUnavailable) as error:
            raise Misfit(
                f"{path} cannot be read now ({error}); see to that, then run the same command again"
            ) from error

    def close(self) -> None:
        """Ends the process."""
        self._child.close()


def _pictures(size: Size, answer: list) -> list[tuple[float, np.ndarray]]:
    """Times and pictures, if they are: a child that a poisonous file has taken over may say anything."""
    times_s = [time_s for time_s, _ in answer]
    if any(type(time_s) is not float or not math.isfinite(time_s) for time_s in times_s):
        raise TypeError("a time is no number")
    if any(one >= next_one for one, next_one in pairwise(times_s)):
        raise ValueError("times do not rise")
    pictures = [np.frombuffer(picture, np.uint8).reshape(size[1], size[0], 3) for _, picture in answer]
    return list(zip(times_s, pictures, strict=True))


def read_span(
    path: str, start_pts: int, end_pts: int, step_s: float, size: Size, limits: LimitsConfig
) -> list[tuple[float, bytes]]:
    """As `SpanReader.frames`, in this process; a picture as its bytes, row by row.

    Raises:
        VideoError: it cannot be read, or passes a limit.
        OSError: the disk or the network fails.
    """
    with open_source(path, limits.max_copy_bytes) as source, open_video(source, max_pixels=limits.max_pixels) as video:
        return _at_steps(video, start_pts, end_pts, Fraction(step_s) / video.info.time_base, size, limits)


def _at_steps(
    video: Video, start_pts: int, end_pts: int, step_ticks: Fraction, size: Size, limits: LimitsConfig
) -> list[tuple[float, bytes]]:
    allowance, next_pts = Allowance(limits), Fraction(start_pts)
    pictures, most = [], MAX_BLOB_BYTES // (3 * math.prod(size))
    for frame in video.frames(start_pts, end_pts):
        allowance.spend(frame.raw.width, frame.raw.height)
        if frame.pts < next_pts:
            continue
        if len(pictures) == most:
            raise VideoError(
                f"too long a clip: more than {most} pictures of {size[0]}x{size[1]}. Score smaller pictures "
                "(short_side_px), or split into shorter clips (max_clip_s)"
            )
        pictures.append((float((frame.pts - start_pts) * video.info.time_base), frame.rgb(*size).tobytes()))
        next_pts = start_pts + ((frame.pts - start_pts) // step_ticks + 1) * step_ticks
    return pictures
