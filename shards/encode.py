"""Encodes an mp4 in memory: a span cut out of a video, frame for frame and at the frames' true times, or pictures.

Frames of a video stay YUV on the way and are turned upright; all end as `yuv420p` of limited range.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise
from typing import BinaryIO

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from shards.frame import Frame, Orientation
from shards.video import MAX_PIXELS, VideoError, open_video

PIXEL_FORMAT = "yuv420p"
SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
# Macroblock trees off: with AVX-512, x264's give other bytes from run to run. It costs about 5 % at equal PSNR.
ENCODER_OPTIONS = {"flags": "+bitexact+frame_duration", "mbtree": "0"}
MUXER_OPTIONS = {"fflags": "+bitexact", "movflags": "+faststart"}


@dataclass(frozen=True)
class EncodeSettings:
    """How clips are encoded. Equal settings and equal input give equal bytes."""

    codec: str = "libx264"
    """libav's name of an encoder whose stream mp4 can hold."""
    crf: int = 18
    """Constant rate factor: lower is better and larger."""
    preset: str = "veryfast"
    """Encoder preset."""
    gop_frames: int = 12
    """Largest distance of keyframes."""
    threads: int = 1
    """Threads of the encoder; the bytes depend on it."""
    short_side_px: int | None = None
    """Frames are scaled down to this short side; None keeps their size."""


@dataclass(frozen=True)
class EncodedClip:
    """A packed video and what was measured on it."""

    video: bytes
    """The mp4 file."""
    fps: float
    """Frames over the seconds of the span."""
    num_frames: int
    width: int
    """Pixels; even."""
    height: int
    """Pixels; even."""


def cut_clip(
    source: str | BinaryIO,
    start_pts: int,
    end_pts: int,
    settings: EncodeSettings,
    max_pixels: int = MAX_PIXELS,
    threads: int = 1,
) -> EncodedClip:
    """Encodes the frames with start_pts <= pts < end_pts.

    The first frame comes out at time 0; all others keep their distance to it. Sound is left out.

    Args:
        source: path of a local video file, or a seekable file, which stays open.
        start_pts: ticks of the video's time base.
        end_pts: ticks, exclusive; also the end of the last frame.
        settings: how to encode.
        max_pixels: frames with more pixels are refused.
        threads: of the decoder; 0 lets it choose.

    Raises:
        VideoError: the file cannot be read, a frame is too large, the span holds no frame, or the encoder refuses
            a frame.
    """
    with open_video(source, threads, max_pixels) as video:
        frames = video.frames(start_pts, end_pts)
        first = next(frames, None)
        if first is None:
            raise VideoError(f"no frame in the span: {start_pts} to {end_pts} ticks of {video.info.time_base} s")
        size = packed_size(first.size, settings.short_side_px)
        pictures = _pictures(chain([first], frames), end_pts, _Fit(*size))
        try:
            data, num_frames = _encode(pictures, video.info.time_base, video.info.frame_rate, settings)
        except FFmpegError as error:
            raise VideoError(f"cannot be encoded: {error}") from error
    seconds = (end_pts - start_pts) * video.info.time_base
    return EncodedClip(data, float(num_frames / seconds), num_frames, *size)


def encode_frames(frames: np.ndarray, fps: Fraction | float, settings: EncodeSettings) -> bytes:
    """Encodes pictures that follow each other at an even rate, the first at time 0.

    Args:
        frames: (T, H, W, 3) uint8 RGB, T > 0; odd sides are scaled to the even size below.
        fps: frames a second, > 0; a float is taken as the fraction of at most 1001 that is nearest.
        settings: how to encode.

    Returns:
        The mp4 file.

    Raises:
        ValueError: the frames are no such array, the rate is not above 0, or the encoder refuses them.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
        raise ValueError(f"frames are uint8 (T, H, W, 3), not {frames.dtype} {frames.shape}")
    rate = Fraction(fps).limit_denominator(1001)
    if rate <= 0:
        raise ValueError(f"{fps} frames a second cannot be encoded")
    raws = (av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24") for picture in frames)
    upright = (Frame(pts, raw, Fraction(1)) for pts, raw in enumerate(raws))
    size = packed_size((frames.shape[2], frames.shape[1]), settings.short_side_px)
    try:
        return _encode(_pictures(upright, len(frames), _Fit(*size)), 1 / rate, rate, settings)[0]
    except FFmpegError as error:
        raise ValueError(f"cannot be encoded: {error}") from error


def check_settings(settings: EncodeSettings) -> None:
    """Encodes one black picture, so that wrong settings are found before any work.

    Raises:
        ValueError: this libav has no such encoder, mp4 cannot hold its stream, or the encoder refuses a value.
    """
    if settings.short_side_px is not None and settings.short_side_px < 2:
        raise ValueError(f"short_side_px: {settings.short_side_px} is not at least 2")
    black = av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), format=PIXEL_FORMAT)
    black.pts = 0
    try:
        _encode([black], Fraction(1, 25), Fraction(25), settings)
    except (FFmpegError, ValueError) as error:
        raise ValueError(f"the encoder {settings.codec} does not work with {settings}: {error}") from error


def packed_size(size: tuple[int, int], short_side_px: int | None) -> tuple[int, int]:
    """Width and height of a packed video: scaled to the short side, never enlarged, even, at least two pixels.

    Args:
        size: width and height as displayed, pixels.
        short_side_px: the short side wanted; None keeps the size.
    """
    scale = min(1.0, short_side_px / min(size)) if short_side_px else 1.0
    width, height = (max(2, int(side * scale / 2 + 1e-9) * 2) for side in size)
    return width, height


class _Fit:
    """Brings frames upright, to one size, and to the packed pixel format."""

    def __init__(self, width: int, height: int) -> None:
        self._size, self._reformatter = (width, height), VideoReformatter()

    def __call__(self, frame: Frame) -> av.VideoFrame:
        turned = frame.rotation_deg % 180 != 0
        width, height = reversed(self._size) if turned else self._size
        pixels = frame.raw.format
        picture = self._reformatter.reformat(
            frame.raw,
            width,
            height,
            format=PIXEL_FORMAT,
            interpolation=SCALING,
            # RGB has no matrix of its own: take the one that players assume where none is told, and tell it.
            dst_colorspace=Colorspace.ITU601 if pixels.is_rgb or pixels.has_palette else None,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        return _upright(picture, frame)


def _upright(picture: av.VideoFrame, frame: Frame) -> av.VideoFrame:
    """The picture mirrored and turned as the frame demands, plane by plane."""
    if frame.orientation == Orientation():
        return picture
    width, height = picture.width, picture.height
    luma, chroma = width * height, width * height // 4
    values = np.split(picture.to_ndarray().ravel(), [luma, luma + chroma])
    shapes = [(height, width), (height // 2, width // 2), (height // 2, width // 2)]
    planes = [frame.upright(v.reshape(shape)) for v, shape in zip(values, shapes, strict=True)]
    stacked = np.concatenate([plane.ravel() for plane in planes], dtype=np.uint8).reshape(-1, planes[0].shape[1])
    turned = av.VideoFrame.from_ndarray(stacked, format=PIXEL_FORMAT)
    for tag in ("colorspace", "color_range", "color_trc", "color_primaries"):
        setattr(turned, tag, getattr(picture, tag))
    return turned


def _pictures(frames: Iterable[Frame], end_pts: int, fit: _Fit) -> Iterator[av.VideoFrame]:
    """Fitted frames, timed from the first one; each lasts until the next, the last one until `end_pts`."""
    start_pts = None
    for frame, following in pairwise(chain(frames, [None])):
        assert frame is not None
        start_pts = frame.pts if start_pts is None else start_pts
        picture = fit(frame)
        picture.pts = frame.pts - start_pts
        picture.duration = (end_pts if following is None else following.pts) - frame.pts
        picture.pict_type = PictureType.NONE  # else the encoder copies the source's keyframes
        yield picture


def _encode(
    pictures: Iterable[av.VideoFrame], time_base: Fraction, rate: Fraction, settings: EncodeSettings
) -> tuple[bytes, int]:
    """The mp4 file and its number of frames; all pictures have the size of the first."""
    buffer, stream, num_frames = io.BytesIO(), None, 0
    with av.open(buffer, "w", "mp4", options=MUXER_OPTIONS, io_open=lambda *_: _Reread(buffer)) as container:
        for picture in pictures:
            stream = stream or _add_stream(container, picture, time_base, rate, settings)
            picture.time_base = time_base
            container.mux(stream.encode(picture))
            num_frames += 1
        if stream:
            container.mux(stream.encode())
    return buffer.getvalue(), num_frames


def _add_stream(
    container: OutputContainer,
    like: av.VideoFrame,
    time_base: Fraction,
    rate: Fraction,
    settings: EncodeSettings,
) -> av.VideoStream:
    options = {"crf": str(settings.crf), "preset": settings.preset, **ENCODER_OPTIONS}
    stream = container.add_stream(settings.codec, rate=rate, options=options, time_base=time_base)
    assert isinstance(stream, av.VideoStream)
    codec = stream.codec_context
    codec.width, codec.height, codec.pix_fmt = like.width, like.height, PIXEL_FORMAT
    codec.gop_size, codec.thread_count, codec.time_base = settings.gop_frames, settings.threads, time_base
    codec.color_range, codec.colorspace = ColorRange.MPEG, like.colorspace
    codec.color_trc, codec.color_primaries = like.color_trc, like.color_primaries
    return stream


class _Reread:
    """A second view of the file being written: to put the index in front, libav reads it while it writes on."""

    def __init__(self, buffer: io.BytesIO) -> None:
        self._buffer, self._position = buffer, 0

    def read(self, size: int) -> bytes:
        data = bytes(self._buffer.getbuffer()[self._position : self._position + size])
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._buffer.getbuffer().nbytes}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position
