"""Pictures of a span of a video, a few a second, for scorers that need more than proxy frames; read in a child."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from curation.addresses import open_source
from curation.allowance import Allowance
from curation.child import Child, ChildDied, ChildUnavailable
from curation.config import LimitsConfig
from curation.scorer import Misfit
from curation.stamp import NO_STAMP, WAY_OUT, stamp_of
from shards.video import Video, VideoError, open_video

Size = Callable[[int, int], tuple[int, int]]
"""Width and height of a frame as displayed to those of the picture wanted; must pickle."""


class SpanReader:
    """Reads spans in a process that may crash, hang or leak, as `split` and `pack` do."""

    def __init__(self, step_s: float, size: Size, limits: LimitsConfig) -> None:
        """Prepares; the process starts with the first span.

        Args:
            step_s: between two pictures, seconds.
            size: of the pictures.
            limits: of one span.
        """
        self._step_s, self._size, self._limits = step_s, size, limits
        self._child = Child(limits.wall_s, limits.attempts, limits.silence_s, limits.memory_bytes)

    def frames(self, path: str, start_pts: int, end_pts: int) -> list[tuple[float, np.ndarray]]:
        """The first frame of a span and those at or after each further step: (seconds, uint8 (H, W, 3) RGB).

        Raises:
            VideoError: they cannot be had, for whatever reason that lies in the video.
            Misfit: the file, the disk or the network is not there, of which no video is to blame.
        """
        span = (path, start_pts, end_pts)
        try:
            return self._child.call(read_span, *span, self._step_s, self._size, self._limits)
        except ChildDied as error:
            raise VideoError(str(error)) from error
        except VideoError:
            if stamp_of(path) == NO_STAMP:
                raise Misfit(f"{path} is gone {WAY_OUT}") from None
            raise
        except (OSError, ChildUnavailable) as error:
            raise Misfit(
                f"{path} cannot be read now ({error}); see to that, then run the same command again"
            ) from error
        except Exception as error:  # whatever a poisonous file provokes costs this clip alone
            raise VideoError(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Ends the process."""
        self._child.close()


def read_span(
    path: str, start_pts: int, end_pts: int, step_s: float, size: Size, limits: LimitsConfig
) -> list[tuple[float, np.ndarray]]:
    """As `SpanReader.frames`, in this process.

    Raises:
        VideoError: it cannot be read, or passes a limit.
        OSError: the disk or the network fails.
    """
    with open_source(path, limits.max_copy_bytes) as source, open_video(source, max_pixels=limits.max_pixels) as video:
        return _at_steps(video, start_pts, end_pts, Fraction(step_s) / video.info.time_base, size, limits)


def _at_steps(
    video: Video, start_pts: int, end_pts: int, step_ticks: Fraction, size: Size, limits: LimitsConfig
) -> list[tuple[float, np.ndarray]]:
    allowance, next_pts = Allowance(limits), Fraction(start_pts)
    pictures = []
    for frame in video.frames(start_pts, end_pts):
        allowance.spend(frame.raw.width, frame.raw.height)
        if frame.pts < next_pts:
            continue
        pictures.append((float((frame.pts - start_pts) * video.info.time_base), frame.rgb(*size(*frame.size))))
        next_pts = start_pts + ((frame.pts - start_pts) // step_ticks + 1) * step_ticks
    return pictures
