"""Frames of a packed clip in a bucket's size: those shown at given seconds, or all with what tells when each is shown.

Sizes are changed by libswscale, in `shards/frame.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import numpy as np

from shards.picture import fitted
from shards.sample import PICTURES, Sample
from shards.video import Frame, Video, VideoError, open_video
from training.bucket import Bucket

SEEK_S = 0.5  # to decode less than this costs less than to seek
TOLERANCE_S = 0.001  # files that count in milliseconds tell a frame's time no better
FITTING = "scaled by area to cover the bucket, the middle cut out"
"""What `_fitted` does; latents that were made with another transform are refused, so change both together."""


def cover(size: tuple[int, int], bucket: Bucket) -> tuple[int, int]:
    """Width and height, pixels, at which a picture of this size just covers the bucket, its shape kept."""
    scale = max(bucket.width / size[0], bucket.height / size[1])
    return max(bucket.width, round(size[0] * scale)), max(bucket.height, round(size[1] * scale))


def shown(sample: Sample, times: np.ndarray, bucket: Bucket) -> np.ndarray:
    """What of a clip is shown at these seconds, or the picture that a sample holds: (T, H, W, 3) uint8.

    Args:
        sample: with a video or a picture.
        times: as for `pictures`; of a picture one.
        bucket: as for `pictures`.

    Raises:
        ValueError: "does not decode: ...", or what `shards.picture` says.
    """
    if sample.extension in PICTURES:
        return fitted(sample.content, bucket.width, bucket.height)[None]
    return pictures(sample.content, times, sample.meta["fps"], bucket)


def pictures(video: bytes, times: np.ndarray, clip_fps: float, bucket: Bucket) -> np.ndarray:
    """The frames shown at these seconds: (T, H, W, 3) uint8.

    Args:
        video: a packed clip.
        times: (T,) rising seconds from its first frame on.
        clip_fps: of the clip.
        bucket: whose size the frames are brought to.

    Raises:
        ValueError: "does not decode: ...".
    """
    found, last = [], None
    with _decoded(video) as opened:
        for frame in _shown(opened, times, 1 / clip_fps):
            found.append(found[-1] if frame is last else _fitted(_whole(frame), bucket))
            last = frame
    return np.stack(found)


def all_shown(sample: Sample, bucket: Bucket) -> tuple[np.ndarray, np.ndarray, float]:
    """Every frame of a packed clip, or its picture, and what tells which of them is shown when; see `all_pictures`."""
    if sample.extension in PICTURES:
        return fitted(sample.content, bucket.width, bucket.height)[None], np.array([0.0, 1.0]), 1.0
    return all_pictures(sample.content, sample.meta["fps"], bucket)


def all_pictures(video: bytes, clip_fps: float, bucket: Bucket) -> tuple[np.ndarray, np.ndarray, float]:
    """Every frame of a packed clip, and what tells which of them is shown when; arguments as for `pictures`.

    Returns:
        Frames (N, H, W, 3) uint8; pts (N + 1,) float64 in ticks from the first frame on, the last is the end of the
        last frame; ticks a second.
    """
    found, pts, end = [], [], 0.0
    with _decoded(video) as opened:
        second = float(1 / opened.info.time_base)
        for frame in opened.frames():
            found.append(_fitted(_whole(frame), bucket))
            pts.append(frame.pts)
            end = frame.pts + max(second / clip_fps + _slack(second), frame.raw.duration or 0)
        if not found:
            raise VideoError("no frame")
    return np.stack(found), np.array([*pts, end], np.float64) - pts[0], second


def shown_at(pts: np.ndarray, second: float, times: np.ndarray) -> np.ndarray:
    """Which frames `pictures` takes: (T,) numbers of frames, of what `all_pictures` tells.

    Raises:
        ValueError: "ends early: ...".
    """
    wanted = times * second + _slack(second)
    if num_missing := int((wanted >= pts[-1]).sum()):
        raise ValueError(f"ends early: {num_missing} of {len(times)} frames are missing")
    return np.searchsorted(pts[:-1], wanted, side="right") - 1


@contextmanager
def _decoded(video: bytes) -> Iterator[Video]:
    """The video, of which every packet must decode."""
    try:
        with open_video(video) as opened:
            yield opened
            if opened.num_decode_errors:
                raise VideoError(f"{opened.num_decode_errors} packets are broken")
    except (VideoError, OSError, ValueError) as error:
        raise ValueError(f"does not decode: {error}") from error


def _whole(frame: Frame) -> Frame:
    if frame.raw.is_corrupt:  # libav filled in what it could not read
        raise VideoError("a frame is damaged")
    return frame


def _slack(second: float) -> float:
    """Ticks by which a frame may come late; `second` is ticks a second."""
    return max(0.5, TOLERANCE_S * second)


def _fitted(frame: Frame, bucket: Bucket) -> np.ndarray:
    """Scaled to cover the bucket, the middle of it: uint8 (height, width, 3)."""
    width, height = cover(frame.size, bucket)
    left, top = (width - bucket.width) // 2, (height - bucket.height) // 2
    return frame.rgb(width, height)[top : top + bucket.height, left : left + bucket.width]


def _shown(video: Video, times: np.ndarray, step_s: float) -> Iterator[Frame]:
    """For each of the rising times the last frame at or before it; decodes no frame past the last one's successor.

    Args:
        video: open.
        times: (T,) seconds from the first frame on.
        step_s: mean distance of frames.
    """
    frames = video.frames()
    first = next(frames, None)
    if first is None:
        raise VideoError("no frame")
    second = float(1 / video.info.time_base)
    slack = _slack(second)
    wanted = first.pts + times * second + slack
    if times[0] - 2 * step_s > SEEK_S:
        frames = video.frames(int(wanted[0] - 2 * step_s * second))
        first = next(frames, None)
        if first is None or first.pts > wanted[0]:  # a frame that stands for long: its start lies further back
            frames = video.frames()
            first = next(frames)
    yield from _held(first, frames, wanted, step_s * second + slack)


def _held(held: Frame, following: Iterator[Frame], wanted: np.ndarray, step: float) -> Iterator[Frame]:
    """The last frame at or before each of the wanted ticks (T,); a frame without successor stands for `step` ticks."""
    pending = wanted.tolist()[::-1]
    for frame in chain(following, [None]):
        end = frame.pts if frame else held.pts + max(step, held.raw.duration or 0)
        while pending and pending[-1] < end:
            pending.pop()
            yield held
        if not pending:
            return
        if frame is None:
            raise VideoError(f"ends early, {len(pending)} of {len(wanted)} frames are missing")
        held = frame
