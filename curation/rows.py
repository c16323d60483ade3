"""Rows of `videos` and `clips` from what one pass over a video saw."""

from dataclasses import dataclass

from curation.measure import FrameLog
from curation.scenes import Cutting
from curation.splitter import Boundaries
from shards.video import Frame, Video


@dataclass(frozen=True)
class PassedVideo:
    """A video whose last frame has gone by."""

    video_id: str
    path: str
    video: Video
    first: Frame
    end_pts: int
    log: FrameLog
    sharpness: list[tuple[int, float]]
    """(pts, sharpness) at each proxy instant."""

    def seconds(self, ticks: int) -> float:
        """Ticks of this video's time base as seconds."""
        return float(ticks * self.video.info.time_base)

    @property
    def shape(self) -> dict[str, int]:
        """Time base and displayed size: columns that `videos` and `clips` share."""
        time_base, (width, height) = self.video.info.time_base, self.first.size
        base = {"time_base_num": time_base.numerator, "time_base_den": time_base.denominator}
        return base | {"width": width, "height": height}


def clip_row(passed: PassedVideo, start_pts: int, end_pts: int) -> dict:
    """One row of `clips`."""
    start_s, end_s = (passed.seconds(pts - passed.first.pts) for pts in (start_pts, end_pts))
    signals = passed.log.summary(start_pts, end_pts)
    sharp = sorted(value for pts, value in passed.sharpness if start_pts <= pts < end_pts)
    duration_s = passed.seconds(end_pts - start_pts)
    return {
        "clip_id": f"{passed.video_id}-{round(start_s * 1000):09d}-{round(end_s * 1000):09d}",
        "video_id": passed.video_id,
        "start_pts": start_pts,
        "end_pts": end_pts,
        **passed.shape,
        "start_s": start_s,
        "end_s": end_s,
        "duration_s": duration_s,
        **signals,
        "fps": signals["num_frames"] / duration_s,
        "sharpness": sharp[len(sharp) // 2] if sharp else None,
    }


def video_row(passed: PassedVideo, boundaries: Boundaries, cutting: Cutting) -> dict:
    """One row of `videos` for a video that could be read."""
    duration_s = passed.seconds(passed.end_pts - passed.first.pts)
    return {
        "video_id": passed.video_id,
        "path": passed.path,
        "status": "ok",
        "error": None,
        "container": passed.video.info.container,
        "codec": passed.video.info.codec,
        "pixel_format": passed.first.raw.format.name,
        **passed.shape,
        "rotation_deg": passed.first.rotation_deg,
        "fps": len(passed.log) / duration_s,
        "num_frames": len(passed.log),
        "num_decode_errors": passed.video.num_decode_errors,
        "first_pts": passed.first.pts,
        "end_pts": passed.end_pts,
        "cuts_pts": boundaries.cuts_pts,
        "transitions_pts": [{"start_pts": start, "end_pts": end} for start, end in boundaries.transitions_pts],
        "duration_s": duration_s,
        "clips_s": passed.seconds(cutting.clip_ticks),
        "transition_s": passed.seconds(cutting.transition_ticks),
        "trimmed_s": passed.seconds(cutting.trimmed_ticks),
        "short_s": passed.seconds(cutting.short_ticks),
    }
