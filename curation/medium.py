"""What the frames of a video tell of the medium: keyframes, sizes, interlacing, and where frames are missing."""

from collections.abc import Iterable

import numpy as np

from curation.measure import FrameLog
from curation.scenes import PtsSpan, joined
from shards.frame import Frame

KEYFRAME, INTERLACED, CORRUPT = 1, 2, 4


class MediumLog:
    """A byte of marks for every frame, and each change of size."""

    def __init__(self, log: FrameLog) -> None:
        """Args: log: is given every frame too, and keeps its time."""
        self._log, self._marks = log, bytearray()
        self._stored: tuple[int, int] | None = None
        self._sizes: list[tuple[int, tuple[int, int]]] = []

    def add(self, frame: Frame) -> None:
        """Takes the next frame."""
        raw = frame.raw
        self._marks.append(KEYFRAME * raw.key_frame | INTERLACED * raw.interlaced_frame | CORRUPT * raw.is_corrupt)
        stored = (raw.width, raw.height)
        if stored != self._stored:
            self._stored = stored
            self._sizes.append((frame.pts, frame.size))

    @property
    def keyframes(self) -> np.ndarray:
        """Times of the keyframes: int64 (num_keyframes,), ticks."""
        return self._log.pts[self._marked(KEYFRAME)]

    @property
    def size_changes(self) -> list[int]:
        """First frames of another size than the one before: ticks."""
        return [pts for pts, _ in self._sizes[1:]]

    def size(self, pts: int) -> tuple[int, int]:
        """Width and height in pixels as displayed at that time."""
        return [size for start, size in self._sizes if start <= pts][-1]

    def interlaced_share(self, start_pts: int, end_pts: int) -> float:
        """Share of interlaced frames in a span that holds frames, 0..1."""
        low, high = np.searchsorted(self._log.pts, [start_pts, end_pts])
        return float(self._marked(INTERLACED)[low:high].mean())

    def holes(self, lost_pts: Iterable[int], end_pts: int) -> list[PtsSpan]:
        """Where nothing good is to be seen: sorted, apart from each other.

        A frame stands as long as most do; a lost packet makes a hole from there to the next frame, a frame that the
        decoder calls corrupt one from its start. Footage lost before the first frame and behind the last is not there.

        Args:
            lost_pts: times of packets that did not decode.
            end_pts: end of the last frame.
        """
        times = self._log.pts
        ends = np.append(times[1:], end_pts)
        stands = np.minimum(times + int(np.median(ends - times)), ends)
        before = np.searchsorted(times, sorted(set(lost_pts)), side="right") - 1
        missing = {(int(stands[i]), int(ends[i])) for i in before if 0 <= i < len(times) - 1}
        return joined(missing | {(int(times[i]), int(ends[i])) for i in np.flatnonzero(self._marked(CORRUPT))})

    def _marked(self, mark: int) -> np.ndarray:
        return np.frombuffer(self._marks, np.uint8) & mark > 0
