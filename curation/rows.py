"""Rows of `videos` and `clips` from what one pass over a video saw."""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.measure import FrameLog
from curation.medium import MediumLog
from curation.proxy_frames import ProxyFrames
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
    medium: MediumLog
    proxies: ProxyFrames

    def seconds(self, ticks: int) -> float:
        """Ticks of this video's time base as seconds."""
        return float(ticks * self.video.info.time_base)

    def shape(self, pts: int) -> dict[str, int]:
        """Time base, and displayed size at that time: columns that `videos` and `clips` share."""
        time_base, (width, height) = self.video.info.time_base, self.medium.size(pts)
        base = {"time_base_num": time_base.numerator, "time_base_den": time_base.denominator}
        return base | {"width": width, "height": height}


def clip_row(passed: PassedVideo, start_pts: int, end_pts: int) -> dict:
    """One row of `clips`."""
    start_s, end_s = (passed.seconds(pts - passed.first.pts) for pts in (start_pts, end_pts))
    signals = passed.log.summary(start_pts, end_pts)
    duration_s = passed.seconds(end_pts - start_pts)
    return {
        "clip_id": f"{passed.video_id}-{round(start_s * 1000):09d}-{round(end_s * 1000):09d}",
        "video_id": passed.video_id,
        "start_pts": start_pts,
        "end_pts": end_pts,
        **passed.shape(start_pts),
        "start_s": start_s,
        "end_s": end_s,
        "duration_s": duration_s,
        **signals,
        "fps": signals["num_frames"] / duration_s,
        "is_hdr": int(passed.first.is_hdr),
        "interlaced_share": passed.medium.interlaced_share(start_pts, end_pts),
        **passed.proxies.summary(start_pts, end_pts),
    }


def video_row(passed: PassedVideo, boundaries: Boundaries, cutting: Cutting, span_problems: Sequence[str] = ()) -> dict:
    """One row of `videos` for a video that could be read."""
    first_pts, info = passed.first.pts, passed.video.info
    duration_s = passed.seconds(passed.end_pts - first_pts)
    return {
        "video_id": passed.video_id,
        "path": passed.path,
        "status": "ok",
        "error": None,
        "container": info.container,
        "codec": info.codec,
        "num_video_streams": info.num_streams,
        "stream_index": info.stream_index,
        **passed.shape(first_pts),
        **_look(passed),
        "fps": len(passed.log) / duration_s,
        "num_frames": len(passed.log),
        "num_decode_errors": passed.video.num_decode_errors,
        "first_pts": first_pts,
        "end_pts": passed.end_pts,
        "cuts_pts": boundaries.cuts_pts,
        "transitions_pts": _spans(boundaries.transitions_pts),
        "suspected_pts": _spans(boundaries.suspected_pts),
        "duration_s": duration_s,
        "clips_s": passed.seconds(cutting.clip_ticks),
        "transition_s": passed.seconds(cutting.transition_ticks),
        "trimmed_s": passed.seconds(cutting.trimmed_ticks),
        "short_s": passed.seconds(cutting.short_ticks),
        "failed_s": passed.seconds(cutting.failed_ticks),
        "span_problems": list(span_problems),
    }


def _spans(spans: Sequence[tuple[int, int]]) -> list[dict]:
    return [{"start_pts": start, "end_pts": end} for start, end in spans]


def _look(passed: PassedVideo) -> dict:
    """How the stored pictures are to be seen."""
    raw, upright = passed.first.raw, passed.first.orientation
    return {
        "pixel_format": raw.format.name,
        "is_mirrored": upright.mirrored,
        "rotation_deg": upright.turn_deg,
        "has_alpha": passed.first.has_alpha or passed.video.info.says_alpha,
        "color_transfer": int(raw.color_trc),
        "color_primaries": int(raw.color_primaries),
        "color_space": int(raw.colorspace),
        "color_range": int(raw.color_range),
        "interlaced_share": passed.medium.interlaced_share(passed.first.pts, passed.end_pts),
    }
