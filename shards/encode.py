"""Encodes an mp4 in memory: a span cut out of a video, frame for frame or at an even rate, or pictures."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, pairwise
from math import ceil
from typing import BinaryIO

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

from shards.fit import PIXEL_FORMAT, Crop, Fit
from shards.frame import Frame
from shards.mp4 import PackedClip, new_mp4
from shards.video import MAX_PIXELS, VideoError, open_video

ENCODER_OPTIONS = {"flags": "+bitexact+frame_duration"}
# Macroblock trees off: with AVX-512, x264's give other bytes from run to run. It costs about 5 % at equal PSNR.
OF_ENCODER = {"libx264": {"mbtree": "0"}}
MAX_RATE = 1000

Fitting = Callable[[Frame], av.VideoFrame]


@dataclass(frozen=True)
class EncodeSettings:
    """How clips are encoded. Equal settings and equal input give equal bytes."""

    codec: str = "libx264"
    """libav's name of an encoder whose stream mp4 can hold."""
    crf: int | None = 18
    """Constant rate factor: lower is better and larger; None for encoders that know none."""
    preset: str | None = "veryfast"
    """Encoder preset; None for encoders that know none."""
    gop_frames: int = 12
    """Largest distance of keyframes."""
    threads: int = 1
    """Threads of the encoder; the bytes depend on it."""
    short_side_px: int | None = None
    """Frames are scaled down to this short side; None keeps their size."""
    size: tuple[int, int] | None = None
    """Width and height, even: the middle of the picture that has their aspect, scaled; None goes by the short side."""
    fps: float | None = None
    """Frames are taken at this even rate, those that are shown then; None keeps all and their times."""
    options: dict[str, str] = field(default_factory=dict)
    """More options of the encoder, by libav's names."""


def cut_clip(
    source: str | BinaryIO,
    start_pts: int,
    end_pts: int,
    settings: EncodeSettings,
    max_pixels: int = MAX_PIXELS,
    threads: int = 1,
    crop: Crop | None = None,
) -> PackedClip:
    """Encodes the frames with start_pts <= pts < end_pts.

    The first frame comes out at time 0; all others keep their distance to it, or follow at the rate of `settings.fps`.
    Sound is left out.

    Args:
        source: path of a local video file, or a seekable file, which stays open.
        start_pts: ticks of the video's time base.
        end_pts: ticks, exclusive; also the end of the last frame.
        settings: how to encode.
        max_pixels: frames with more pixels are refused.
        threads: of the decoder; 0 lets it choose.
        crop: the part of the picture that is kept; None keeps all.

    Raises:
        VideoError: the file cannot be read, a frame is too large, the span holds no frame, or the encoder refuses
            a frame.
    """
    with open_video(source, threads, max_pixels) as video:
        frames = _Counted(video.frames(start_pts, end_pts))
        first = next(frames, None)
        if first is None:
            raise VideoError(f"no frame in the span: {start_pts} to {end_pts} ticks of {video.info.time_base} s")
        fit, time_base, rate = (
            Fit(first, settings.short_side_px, crop, settings.size),
            video.info.time_base,
            video.info.frame_rate,
        )
        pictures = _pictures(chain([first], frames), end_pts, fit)
        if settings.fps:
            rate = _rate(settings.fps)
            pictures = _at_rate(chain([first], frames), end_pts, fit, rate * time_base)
            time_base = 1 / rate
        try:
            data, num_frames = _encode(pictures, time_base, rate, settings)
        except FFmpegError as error:
            raise VideoError(f"cannot be encoded: {error}") from error
        seconds = (end_pts - start_pts) * video.info.time_base
    fps = float(rate if settings.fps else num_frames / seconds)
    return PackedClip(data, fps, num_frames, *fit.size, frames.number, "encode")


def encode_frames(frames: np.ndarray, fps: Fraction | float, settings: EncodeSettings) -> bytes:
    """Encodes pictures that follow each other at an even rate, the first at time 0.

    Args:
        frames: (T, H, W, 3) uint8 RGB, T > 0; odd sides are scaled to the even size below.
        fps: frames a second, > 0; a float is taken as the fraction of at most 1001 that is nearest.
        settings: how to encode; its `fps` does not matter here.

    Returns:
        The mp4 file.

    Raises:
        ValueError: the frames are no such array, the rate is not above 0, or the encoder refuses them.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
        raise ValueError(f"frames are uint8 (T, H, W, 3), not {frames.dtype} {frames.shape}")
    rate = _rate(fps)
    raws = (av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24") for picture in frames)
    upright = (Frame(pts, raw, Fraction(1)) for pts, raw in enumerate(raws))
    first = next(upright)
    pictures = _pictures(chain([first], upright), len(frames), Fit(first, settings.short_side_px))
    try:
        return _encode(pictures, 1 / rate, rate, settings)[0]
    except FFmpegError as error:
        raise ValueError(f"cannot be encoded: {error}") from error


def check_settings(settings: EncodeSettings) -> None:
    """Encodes one black picture, so that wrong settings are found before any work.

    Raises:
        ValueError: this libav has no such encoder, mp4 cannot hold its stream, or the encoder refuses a value or does
            not know an option.
    """
    if settings.short_side_px is not None and settings.short_side_px < 2:
        raise ValueError(f"short_side_px: {settings.short_side_px} is not at least 2")
    if settings.fps is not None:
        _rate(settings.fps)
    black = av.VideoFrame.from_ndarray(np.zeros((192, 128), np.uint8), format=PIXEL_FORMAT)
    black.pts = 0
    try:
        _encode([black], Fraction(1, 25), Fraction(25), settings)
    except (FFmpegError, ValueError) as error:
        raise ValueError(f"the encoder {settings.codec} does not work with {settings}: {error}") from error


def _rate(fps: Fraction | float) -> Fraction:
    """Frames a second as a fraction of small numbers; those of television, like 23.976, are over 1001."""
    if not 0 < fps <= MAX_RATE:
        raise ValueError(f"fps: {fps} frames a second cannot be encoded; give a number above 0, at most {MAX_RATE}")
    television = Fraction(round(fps * 1.001) * 1000, 1001)
    rate = television if abs(television - fps) < 1e-4 * fps else Fraction(fps).limit_denominator(1001)
    if not rate:
        raise ValueError(f"fps: {fps} frames a second are too few")
    return rate


class _Counted(Iterator[Frame]):
    """Frames, and how many of them went by."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames, self.number = frames, 0

    def __next__(self) -> Frame:
        frame = next(self._frames)
        self.number += 1
        return frame


def _lasting(frames: Iterable[Frame], end_pts: int) -> Iterator[tuple[Frame, int, int]]:
    """Each frame with the ticks from the first one on at which it is shown; the last one until `end_pts`."""
    start_pts = None
    for frame, following in pairwise(chain(frames, [None])):
        assert frame is not None
        start_pts = frame.pts if start_pts is None else start_pts
        yield frame, frame.pts - start_pts, (end_pts if following is None else following.pts) - start_pts


def _pictures(frames: Iterable[Frame], end_pts: int, fit: Fitting) -> Iterator[av.VideoFrame]:
    """Fitted frames, each at its own time."""
    for frame, shown, gone in _lasting(frames, end_pts):
        yield _timed(fit(frame), shown, gone - shown)


def _at_rate(frames: Iterable[Frame], end_pts: int, fit: Fitting, per_tick: Fraction) -> Iterator[av.VideoFrame]:
    """Fitted frames that are shown at the times 0, 1, 2 ...; a tick of the source is `per_tick` of these."""
    for frame, shown, gone in _lasting(frames, end_pts):
        numbers = range(ceil(shown * per_tick), ceil(gone * per_tick))
        picture = fit(frame) if numbers else None
        for number in numbers:
            assert picture is not None
            yield _timed(picture, number, 1)


def _timed(picture: av.VideoFrame, pts: int, duration: int) -> av.VideoFrame:
    picture.pts, picture.duration = pts, duration
    picture.pict_type = PictureType.NONE  # else the encoder copies the source's keyframes
    return picture


def _encode(
    pictures: Iterable[av.VideoFrame], time_base: Fraction, rate: Fraction, settings: EncodeSettings
) -> tuple[bytes, int]:
    """The mp4 file and its number of frames; all pictures have the size of the first."""
    stream, num_frames = None, 0
    with new_mp4(time_base) as (buffer, container):
        for picture in pictures:
            stream = stream or _add_stream(container, picture, time_base, rate, settings)
            picture.time_base = time_base
            container.mux(stream.encode(picture))
            num_frames += 1
        if stream:
            container.mux(_decodable(stream.encode(), num_frames))
    if stream and stream.codec_context.options:  # what is left of them
        raise ValueError(f"{settings.codec} does not know {', '.join(stream.codec_context.options)}")
    return buffer.getvalue(), num_frames


def _decodable(packets: list[av.Packet], num_frames: int) -> list[av.Packet]:
    # x265 reckons decoding times from the third picture on and leaves those of fewer as they lay in memory
    for packet in packets if num_frames < 3 else ():
        packet.dts = packet.pts  # two pictures are never reordered
    return packets


def _add_stream(
    container: OutputContainer,
    like: av.VideoFrame,
    time_base: Fraction,
    rate: Fraction,
    settings: EncodeSettings,
) -> av.VideoStream:
    told = {"crf": settings.crf, "preset": settings.preset}
    options = {name: str(value) for name, value in told.items() if value is not None}
    options |= ENCODER_OPTIONS | OF_ENCODER.get(settings.codec, {}) | settings.options
    stream = container.add_stream(settings.codec, rate=rate, options=options, time_base=time_base)
    assert isinstance(stream, av.VideoStream)
    codec = stream.codec_context
    codec.width, codec.height, codec.pix_fmt = like.width, like.height, PIXEL_FORMAT
    codec.gop_size, codec.thread_count, codec.time_base = settings.gop_frames, settings.threads, time_base
    codec.color_range, codec.colorspace = ColorRange.MPEG, like.colorspace
    codec.color_trc, codec.color_primaries = like.color_trc, like.color_primaries
    return stream
