"""Reads one video in one pass: cuts, clips, signals and proxy frames. Runs in a killable child."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2

from curation.config import SplitConfig
from curation.measure import FrameLog, sharpness
from curation.proxies import proxy_writer
from curation.rows import PassedVideo, clip_row, video_row
from curation.scenes import ClipRule, cut_scenes
from curation.small_frame import small_frame
from shards.video import Frame, Video, VideoError, open_video


@dataclass(frozen=True)
class VideoReading:
    """What one pass over a video gave: rows for `videos` and `clips`; its proxy frames are in a file."""

    video: dict
    clips: list[dict]


def read_video(video_id: str, path: str, config: SplitConfig, proxies: Path) -> VideoReading:
    """Decodes a video once and writes its proxy frames to a Parquet file at `proxies`.

    Raises:
        VideoError: it cannot be read as video, or passes a limit.
    """
    limits = config.limits
    with open_video(path, config.decoder_threads, limits.max_pixels) as video:
        with proxy_writer(proxies) as write_proxy:
            one_pass = OnePass(video_id, video, config, write_proxy)
            for frame in video.frames():
                if len(one_pass.log) >= limits.max_frames:
                    raise VideoError(f"too many frames: more than {limits.max_frames}")
                one_pass.take(frame)
        if not len(one_pass.log):
            raise VideoError("no frame could be decoded")
        return one_pass.finish(path)


class OnePass:
    """What is kept of a video while its frames go by."""

    def __init__(self, video_id: str, video: Video, config: SplitConfig, write_proxy: Callable[[dict], None]) -> None:
        self.log = FrameLog()
        self._video_id, self._video, self._config, self._write_proxy = video_id, video, config, write_proxy
        self._time_base = video.info.time_base
        self._detector = config.splitter.build(self._time_base, video.info.frame_rate)
        self._proxy_rate = Fraction(config.proxy_fps).limit_denominator(1000)
        self._next_proxy_s = Fraction(0)
        self._sharpness: list[tuple[int, float]] = []

    def take(self, frame: Frame) -> None:
        """Looks at the next frame; nothing looks at it again."""
        if not len(self.log):
            self._first = frame
        small = small_frame(frame)
        self._detector.process(small)
        self.log.add(small)
        time_s = (frame.pts - self._first.pts) * self._time_base
        if time_s >= self._next_proxy_s:
            self._keep_proxy(frame, float(time_s))
            self._next_proxy_s = (int(time_s * self._proxy_rate) + 1) / self._proxy_rate
        self._last = frame

    def _keep_proxy(self, frame: Frame, time_s: float) -> None:
        size = fit_short_side(frame.size, self._config.proxy_short_side_px)
        options = [cv2.IMWRITE_JPEG_QUALITY, self._config.proxy_quality]
        _, jpeg = cv2.imencode(".jpg", frame.image(*size, "bgr24"), options)
        sharp = sharpness(frame.luma())
        self._sharpness.append((frame.pts, sharp))
        row = {"video_id": self._video_id, "pts": frame.pts, "time_s": time_s, "sharpness": sharp}
        self._write_proxy(row | {"jpeg": jpeg.tobytes()})

    def finish(self, path: str) -> VideoReading:
        """Cuts and clips, once there are no more frames."""
        boundaries = self._detector.finish()
        end_pts = self._last.pts + self._last_duration()
        lengths = (self._config.min_clip_s, self._config.max_clip_s, self._config.trim_s)
        rule = ClipRule(*(round(Fraction(length) / self._time_base) for length in lengths))
        cutting = cut_scenes(self.log.pts, end_pts, boundaries, rule)
        passed = PassedVideo(self._video_id, path, self._video, self._first, end_pts, self.log, self._sharpness)
        clips = [clip_row(passed, start, end) for start, end in cutting.clips]
        return VideoReading(video_row(passed, boundaries, cutting), clips)

    def _last_duration(self) -> int:
        """Ticks the last frame stands: as it says itself, else as the one before it, else by the claimed rate."""
        if self._last.raw.duration:
            return self._last.raw.duration
        pts = self.log.pts
        if len(pts) > 1:
            return int(pts[-1] - pts[-2])
        return max(1, round(1 / (self._video.info.frame_rate * self._time_base)))


def fit_short_side(size: tuple[int, int], short_side_px: int) -> tuple[int, int]:
    """Width and height scaled to a short side, never enlarged; at least one pixel each."""
    scale = min(1.0, short_side_px / min(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
