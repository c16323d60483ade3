"""Examples from packed clips: which frames of a clip a model sees, and their decoding.

What fits is decided by the plan (`buckets.py`); sizes are changed by libswscale, in `shards/video.py`.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import torch

from shards.reader import ShardSet
from shards.video import Frame, Video, VideoError, open_video
from training.buckets import Bucket, Needs, fits, plan_samples
from training.conditioning import Conditioning
from training.sources import Example, Source, uniforms

SEEK_S = 0.5  # to decode less than this costs less than to seek
TOLERANCE_S = 0.001  # files that count in milliseconds tell a frame's time no better


class ClipSource(Source):
    """The clips of a shard set, each seen through a window of the bucket's frames."""

    def __init__(
        self,
        shards: ShardSet,
        bucket: Bucket,
        fps: Sequence[float],
        conditioning: Conditioning,
        name: str = "",
        caption: bool = True,
    ) -> None:
        """Plans; reads no sample.

        Args:
            shards: the set.
            bucket: frames and size of an example.
            fps: frames a second to take frames at; each time one of those that fit the clip is drawn.
            conditioning: its scores are needed, but for pictures, whose numbers are all 0.
            name: of the set in messages; its folder by default.
            caption: whether a sample needs a caption.

        Raises:
            ValueError: no sample has what is conditioned on, or nothing is usable.
        """
        self.name = name or str(shards.folder)
        self.bucket, self._shards, self._conditioning = bucket, shards, conditioning
        self._rates = np.asarray(fps, np.float64)
        needs = Needs(caption) if bucket.is_image else Needs(caption, conditioning.scores, conditioning.motion_bucket)
        self.plan = plan_samples(shards.index, bucket, fps, needs, self.name)

    @property
    def stretches(self) -> np.ndarray:
        """(S,) usable samples of each shard."""
        ends = np.cumsum(self._shards.shard_sizes)
        return np.diff(np.searchsorted(self.plan.usable, ends), prepend=0)

    def key(self, i: int) -> str:
        """Key of usable sample number `i`."""
        return self._shards.index["key"][int(self.plan.usable[i])].as_py()

    def read(self, i: int, rng: np.random.Generator) -> Example:
        """A random window of a clip with one of its captions; takes three numbers from `rng`.

        Raises:
            ValueError: "is not in its shard: ..." or "does not decode: ...".
        """
        number, (of_rate, of_start, of_caption) = int(self.plan.usable[i]), uniforms(rng, 3).tolist()
        try:
            video = self._shards.read(number).video
        except ValueError as error:
            raise ValueError(f"is not in its shard: {error}") from error
        row = self._shards.index.slice(number, 1).to_pylist()[0]
        fps, times = self._window(row["num_frames"], row["fps"], of_rate, of_start)
        texts = [caption["text"] for caption in row["captions"] or [] if (caption["text"] or "").strip()]
        return Example(
            row["key"],
            torch.from_numpy(_pictures(video, times, row["fps"], self.bucket)),
            texts[int(of_caption * len(texts))] if texts else "",
            self._micro(fps, row),
        )

    def _window(self, num_frames: int, clip_fps: float, of_rate: float, of_start: float) -> tuple[float, np.ndarray]:
        """Frames a second, and the seconds (T,) from the clip's first frame on at which frames are wanted."""
        if self.bucket.is_image:
            return 0.0, np.array([of_start * num_frames / clip_fps])
        fitting = self._rates[fits(self.bucket, self._rates, np.array([num_frames]), np.array([clip_fps]))[0]]
        fps = float(fitting[int(of_rate * len(fitting))])
        offsets = np.arange(self.bucket.num_frames) / fps
        room_s = max(0.0, (num_frames - 1) / clip_fps - offsets[-1])
        return fps, of_start * room_s + offsets

    def _micro(self, fps: float, row: dict) -> tuple[float, ...]:
        if self.bucket.is_image:
            return (0.0,) * len(self._conditioning.micro)
        scores, motion_bucket = dict(row["scores"] or []), row["motion_bucket"]
        return tuple(micro.of_clip(fps, scores, motion_bucket) for micro in self._conditioning.micro)


def cover(size: tuple[int, int], bucket: Bucket) -> tuple[int, int]:
    """Width and height, pixels, at which a picture of this size just covers the bucket, its shape kept."""
    scale = max(bucket.width / size[0], bucket.height / size[1])
    return max(bucket.width, round(size[0] * scale)), max(bucket.height, round(size[1] * scale))


def _pictures(video: bytes, times: np.ndarray, clip_fps: float, bucket: Bucket) -> np.ndarray:
    """The frames shown at these seconds: (T, H, W, 3) uint8."""
    pictures, last = [], None
    try:
        with open_video(video) as opened:
            for frame in _shown(opened, times, 1 / clip_fps):
                if frame.raw.is_corrupt:  # libav filled in what it could not read
                    raise VideoError("a frame is damaged")
                pictures.append(pictures[-1] if frame is last else _fitted(frame, bucket))
                last = frame
            if opened.num_decode_errors:
                raise VideoError(f"{opened.num_decode_errors} packets are broken")
    except (VideoError, OSError, ValueError) as error:
        raise ValueError(f"does not decode: {error}") from error
    return np.stack(pictures)


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
    slack = max(0.5, TOLERANCE_S * second)
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
