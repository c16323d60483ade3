"""Reads one video in one pass: cuts, clips, signals and proxy frames. Runs in a killable child."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from curation.addresses import open_source
from curation.allowance import Allowance
from curation.config import SplitConfig
from curation.measure import FrameLog
from curation.medium import MediumLog
from curation.proxies import proxy_writer
from curation.proxy_frames import ProxyFrames
from curation.rows import PassedVideo, clip_row, video_row
from curation.scenes import ClipRule, Footage, cut_scenes
from curation.small_frame import small_frame
from curation.spans import SecondsSpan, place_spans
from curation.splitter import Boundaries
from shards.video import Frame, Video, VideoError, open_video


@dataclass(frozen=True)
class VideoReading:
    """What one pass over a video gave: rows for `videos` and `clips`; its proxy frames are in a file."""

    video: dict
    clips: list[dict]


def read_video(
    video_id: str, path: str, config: SplitConfig, proxies: Path, spans: Sequence[SecondsSpan] | None = None
) -> VideoReading:
    """Decodes a video once and writes its proxy frames to a Parquet file at `proxies`.

    Args:
        video_id: of the file.
        path: where it lies: a local path, or an address.
        config: of the job.
        proxies: file to write.
        spans: what the user wants of it, seconds from its first frame; None wants all of it.

    Raises:
        VideoError: it cannot be read as video, or passes a limit.
        OSError: the disk or the network fails.
    """
    cv2.setNumThreads(1)  # a worker has one core
    allowance = Allowance(config.limits)
    with (
        open_source(path, config.limits.max_copy_bytes) as source,
        open_video(source, config.decoder_threads, config.limits.max_pixels) as video,
    ):
        with proxy_writer(proxies) as write_proxy:
            one_pass = OnePass(video_id, video, config, write_proxy, proxies.parent)
            for frame in video.frames():
                allowance.spend(frame.raw.width, frame.raw.height)
                one_pass.take(frame)
        if not len(one_pass.log):
            raise VideoError("no frame could be decoded")
        return one_pass.finish(path, spans)


class OnePass:
    """What is kept of a video while its frames go by."""

    def __init__(
        self, video_id: str, video: Video, config: SplitConfig, write_proxy: Callable[[dict], None], scratch: Path
    ) -> None:
        self.log = FrameLog(scratch)
        self._medium = MediumLog(self.log)
        self._video_id, self._video, self._config = video_id, video, config
        self._time_base = video.info.time_base
        self._detector = config.splitter.build(self._time_base, video.info.frame_rate)
        self._proxies = ProxyFrames(video_id, self._time_base, config, write_proxy)

    def take(self, frame: Frame) -> None:
        """Looks at the next frame; nothing looks at it again."""
        if not len(self.log):
            self._first = frame
        small = small_frame(frame)
        self._detector.process(small)
        self.log.add(small)
        self._medium.add(frame)
        self._proxies.take(frame)
        self._last = frame

    def finish(self, path: str, spans: Sequence[SecondsSpan] | None) -> VideoReading:
        """Cuts and clips, once there are no more frames."""
        pts, end_pts = self.log.pts, self._last.pts + self._last_duration()
        wanted, problems = (None, []) if spans is None else place_spans(spans, pts, end_pts, self._time_base)
        holes = self._medium.holes(self._video.lost_pts, end_pts)
        keyframes = self._medium.keyframes if self._config.snap == "keyframe" else None
        boundaries = self._boundaries()
        cutting = cut_scenes(Footage(pts, end_pts, holes, wanted, keyframes), boundaries, self._rule())
        passed = PassedVideo(
            self._video_id, path, self._video, self._first, end_pts, self.log, self._medium, self._proxies
        )
        clips = [clip_row(passed, start, end) for start, end in cutting.clips]
        return VideoReading(video_row(passed, boundaries, cutting, problems), clips)

    def _boundaries(self) -> Boundaries:
        """What the detector found, and where the frames' size changes: a clip has one size."""
        found = self._detector.finish()
        return replace(found, cuts_pts=sorted({*found.cuts_pts, *self._medium.size_changes}))

    def _rule(self) -> ClipRule:
        lengths = (self._config.min_clip_s, self._config.max_clip_s, self._config.trim_s)
        return ClipRule(*(round(Fraction(length) / self._time_base) for length in lengths))

    def _last_duration(self) -> int:
        """Ticks the last frame stands: as it says itself, but no longer than another; else as the one before it."""
        pts, claimed = self.log.pts, self._last.raw.duration
        if len(pts) > 1:
            return min(claimed, int(np.diff(pts).max())) if claimed else int(pts[-1] - pts[-2])
        by_rate = max(1, round(1 / (self._video.info.frame_rate * self._time_base)))
        return claimed if claimed and claimed * self._time_base <= 1 else by_rate
