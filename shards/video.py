"""Opens and decodes video: every frame once, in presentation order, with its true time. Cutting is in `encode.py`.

Input is untrusted: only local files, only known container formats, and frames no larger than the caller allows.
"""

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import av
import av.logging
import numpy as np
from av.error import EOFError as EndOfFile
from av.error import FFmpegError
from av.stream import Disposition
from av.video.reformatter import Interpolation, VideoReformatter

# No log at all: even unseen errors would take the interpreter lock, and hang a decoder that is closed amid its threads.
av.logging.set_level(None)

FORMATS = ",".join(
    "mov mp4 matroska webm avi mpegts mpeg mpegvideo m4v h264 hevc vvc obu ivf flv asf ogg mxf gif mjpeg nut"
    " yuv4mpegpipe".split()
)
OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
# Files of these formats may be joined byte by byte: times can run backwards at a seam, or are not there at all. Only
# who reads from the start knows the time of a frame, so they are never sought.
JOINABLE_FORMATS = {"mpegts", "mpeg", "mpegvideo", "h264", "hevc", "vvc", "m4v", "mjpeg"}
MAX_BACKWARD_S = 1  # a frame this much earlier than the one before it is no mere disorder
MAX_PIXELS = 8192 * 8192


class VideoError(Exception):
    """The file cannot be read as video; the message is the reason, most general words first."""


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself. Its number of frames and duration are left out: headers are not believed."""

    container: str
    codec: str
    time_base: Fraction
    """Seconds per tick."""
    frame_rate: Fraction
    """Frames a second as claimed; only a hint."""


class Scalers:
    """The scalers of a video, one a purpose: to set one up anew costs more than to scale a frame."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], VideoReformatter] = {}

    def scale(self, raw: av.VideoFrame, size: tuple[int, int], pixel_format: str, interpolation: str) -> np.ndarray:
        """The stored picture as uint8 (height, width[, 3]); size is width and height in pixels."""
        scaler = self._of.setdefault((pixel_format, interpolation), VideoReformatter())
        flags = Interpolation[interpolation] | Interpolation.BITEXACT
        if size != (raw.width, raw.height):  # else each pixel is converted by itself; this would blend its colour
            flags |= Interpolation.ACCURATE_RND
        return scaler.reformat(raw, *size, format=pixel_format, interpolation=flags, threads=1).to_ndarray()


@dataclass(frozen=True)
class Frame:
    """One decoded frame."""

    pts: int
    """Presentation time in ticks of the video's time base; strictly rising within a video."""
    raw: av.VideoFrame
    pixel_aspect: Fraction
    """Width over height of one stored pixel."""
    scalers: Scalers = field(default_factory=Scalers, repr=False, compare=False)
    """Shared by the frames of a video."""

    @cached_property
    def rotation_deg(self) -> int:
        """Clockwise turn that brings the stored picture upright: 0, 90, 180 or 270."""
        turn = -self.raw.rotation
        return round(turn / 90) * 90 % 360 if abs(turn) <= 360 else 0

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels as displayed: pixel aspect and rotation applied."""
        width, height = self._unturned_size
        return (height, width) if self.rotation_deg % 180 else (width, height)

    @property
    def _unturned_size(self) -> tuple[int, int]:
        return max(1, round(self.raw.width * self.pixel_aspect)), self.raw.height

    def image(self, width: int, height: int, pixel_format: str, interpolation: str = "AREA") -> np.ndarray:
        """The upright picture at the given display size: uint8 (height, width[, 3]).

        Args:
            width: pixels as displayed.
            height: pixels as displayed.
            pixel_format: `rgb24`, `bgr24` or `gray`.
            interpolation: a name of libswscale's methods.
        """
        turned = self.rotation_deg % 180 != 0
        stored = (height, width) if turned else (width, height)
        picture = self.scalers.scale(self.raw, stored, pixel_format, interpolation)
        turns = -self.rotation_deg // 90  # numpy turns counterclockwise
        return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture

    def rgb(self, width: int, height: int) -> np.ndarray:
        """The upright picture: uint8 (height, width, 3) RGB."""
        return self.image(width, height, "rgb24")

    def luma(self) -> np.ndarray:
        """The full-size luma plane as stored: uint8 (H, W)."""
        return self.scalers.scale(self.raw, (self.raw.width, self.raw.height), "gray", "BILINEAR")


class Video:
    """An open video file; see `open_video`."""

    def __init__(self, source: str | bytes, threads: int, max_pixels: int) -> None:
        self._source, self._threads, self._max_pixels = source, threads, max_pixels
        self.num_decode_errors = 0
        """Packets that did not decode so far; their frames are missing."""
        self._scalers = Scalers()
        self._open()
        self.info = VideoInfo(
            container=self._container.format.name,
            codec=self._stream.codec_context.name,
            time_base=self._stream.time_base or Fraction(1, 90000),
            frame_rate=_plausible_rate(self._stream),
        )

    def close(self) -> None:
        """Releases the file and the decoder."""
        self._container.close()

    def _open(self) -> None:
        file = io.BytesIO(self._source) if isinstance(self._source, bytes) else self._source
        try:
            self._container = av.open(file, "r", options=OPEN_OPTIONS, metadata_errors="replace")
        except (FFmpegError, OSError, ValueError) as error:
            raise VideoError(f"cannot be opened: {_words(error)}") from error
        self._at_start = True
        streams = [stream for stream in self._container.streams.video if not _is_cover_art(stream)]
        if not streams:
            self.close()
            raise VideoError("no video stream")
        self._stream = streams[0]
        codec = self._stream.codec_context
        codec.thread_type, codec.thread_count = "AUTO", self._threads
        # Far larger frames must cost no memory. Twice the limit and a bit, for decoders count the pixels they pad with.
        codec.options = {"max_pixels": str(min(2 * self._max_pixels + 2**16, 2**31 - 1))}
        self._check_pixels(codec.width, codec.height)

    def frames(self, start_pts: int | None = None, end_pts: int | None = None) -> Iterator[Frame]:
        """Frames with start_pts <= pts < end_pts in presentation order; all of them by default.

        Packets that do not decode are counted and passed over. Where files were joined and times start again, time
        goes on by one frame step.

        Raises:
            VideoError: a frame is larger than allowed, or times run backwards in a format whose files cannot be joined.
        """
        for frame in self._from(start_pts):
            if end_pts is not None and frame.pts >= end_pts:
                return
            if start_pts is None or frame.pts >= start_pts:
                yield frame

    def _from(self, start_pts: int | None) -> Iterator[Frame]:
        """Frames from a keyframe at or before `start_pts` on; from the first where seeking overshoots."""
        seekable = self.info.container not in JOINABLE_FORMATS
        if start_pts is None or not seekable:
            self._rewind()
            yield from self._timed()
            return
        frames = self._sought(start_pts)
        first = next(frames, None)
        if first is None or first.pts > start_pts:
            self._rewind()
            yield from self._timed()
            return
        yield first
        yield from frames

    def _sought(self, start_pts: int) -> Iterator[Frame]:
        with suppress(FFmpegError):
            self._container.seek(start_pts, stream=self._stream, backward=True)
            yield from self._timed()

    def _rewind(self) -> None:
        """Opens the file anew: unlike seeking to the start, that is exact for every format."""
        if not self._at_start:
            self.close()
            self._open()

    def _timed(self) -> Iterator[Frame]:
        """Frames with strictly rising times; a missing time is filled in from the claimed rate."""
        self._at_start = False
        step = max(1, round(1 / (self.info.frame_rate * self.info.time_base)))
        last, offset = None, 0
        for raw in self._decoded():
            pts = raw.pts + offset if raw.pts is not None else (0 if last is None else last + step)
            if last is not None and (last - pts) * self.info.time_base > MAX_BACKWARD_S:
                self._check_joinable(last, pts)
                offset += last + step - pts
                pts = last + step
            last = pts if last is None else max(pts, last + 1)
            self._check_pixels(raw.width, raw.height)
            yield Frame(last, raw, self._pixel_aspect(), self._scalers)

    def _check_joinable(self, last: int, pts: int) -> None:
        if self.info.container not in JOINABLE_FORMATS:
            seconds = [round(float(time * self.info.time_base), 3) for time in (last, pts)]
            raise VideoError(f"timestamps run backwards: from {seconds[0]} s to {seconds[1]} s")

    def _pixel_aspect(self) -> Fraction:
        aspect = self._stream.sample_aspect_ratio
        return Fraction(aspect) if aspect and Fraction(1, 10) < aspect < 10 else Fraction(1)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, EndOfFile):
                return
            except FFmpegError:  # the rest of the file cannot be read
                self.num_decode_errors += 1
                return
            try:
                yield from packet.decode()
            except FFmpegError:
                self.num_decode_errors += 1
                # Of a frame past its own limit libav says no more than that it did not decode.
                self._check_pixels(self._stream.codec_context.width, self._stream.codec_context.height)

    def _check_pixels(self, width: int, height: int) -> None:
        if width * height > self._max_pixels:
            raise VideoError(f"frame too large: {width}x{height} pixels, the limit is {self._max_pixels}")


@contextmanager
def open_video(source: str | bytes, threads: int = 1, max_pixels: int = MAX_PIXELS) -> Iterator[Video]:
    """Opens the first real video stream of a local file, or of one that lies in memory.

    Args:
        source: path of a local file, or all its bytes.
        threads: decoder threads; 0 lets the decoder choose.
        max_pixels: frames with more pixels are refused, before memory is taken.

    Raises:
        VideoError: empty or unreadable file, no known format, no video stream; inside the block also what `Video`
            raises.
    """
    with closing(Video(source, threads, max_pixels)) as video:
        yield video


def _is_cover_art(stream: av.VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _plausible_rate(stream: av.VideoStream) -> Fraction:
    rates = [stream.average_rate, stream.guessed_rate]
    return next((Fraction(rate) for rate in rates if rate and 0 < rate <= 1000), Fraction(25))


def _words(error: BaseException) -> str:
    """The reason without the file's name, so that equal reasons can be counted."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
