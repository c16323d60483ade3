"""Decodes a video: every frame once, in presentation order, with its true time. Cutting is in `encode.py`.

Input is untrusted: see `source.py`; headers are not believed, and frames are no larger than the caller allows.
"""

from array import array
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import av
from av.container import InputContainer
from av.error import EOFError as EndOfFile
from av.error import FFmpegError
from av.stream import Disposition

from shards.frame import Frame, Scalers
from shards.source import Source, VideoError

__all__ = ["MAX_PIXELS", "Frame", "Video", "VideoError", "VideoInfo", "open_video"]

# Files of these formats may be joined byte by byte: times can run backwards at a seam, or are not there at all. Only
# who reads from the start knows the time of a frame, so they are never sought.
JOINABLE_FORMATS = {"mpegts", "mpeg", "mpegvideo", "h264", "hevc", "vvc", "m4v", "mjpeg"}
MAX_BACKWARD_S = 1  # a frame this much earlier than the one before it is no mere disorder
MAX_PIXELS = 8192 * 8192
MOST_THREADS = 16  # that libav takes when it may choose
NO_FOOTAGE = Disposition.attached_pic | Disposition.timed_thumbnails


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself. Its number of frames and duration are left out: headers are not believed."""

    container: str
    codec: str
    time_base: Fraction
    """Seconds per tick."""
    frame_rate: Fraction
    """Frames a second as claimed; only a hint."""
    num_streams: int
    """Streams of moving pictures, cover art left out."""
    stream_index: int
    """The one that is read, as libav numbers all streams: of those it can decode the one with most pixels."""
    says_alpha: bool
    """Whether it announces an alpha channel beside the pictures, as VP8 and VP9 do."""


class Video:
    """An open video file; see `open_video`."""

    def __init__(self, source: str | bytes | BinaryIO, threads: int, max_pixels: int) -> None:
        self._source, self._threads, self._max_pixels = Source(source), threads, max_pixels
        self.num_decode_errors = 0
        """Packets that did not decode so far; their frames are missing."""
        self.lost_pts = array("q")
        """When the frames of those packets were to be seen, as far as known."""
        self._scalers = Scalers()
        try:
            self._open()
        except BaseException:
            self._source.close()
            raise
        self.info = VideoInfo(
            container=self._container.format.name,
            codec=self._stream.codec_context.name,
            time_base=self._stream.time_base or Fraction(1, 90000),
            frame_rate=_plausible_rate(self._stream),
            num_streams=len(_moving(self._container)),
            stream_index=self._stream.index,
            says_alpha=self._stream.metadata.get("alpha_mode") == "1",
        )

    def close(self) -> None:
        """Releases the file and the decoder."""
        self._container.close()
        self._source.close()

    def _open(self) -> None:
        # Twice the limit and a bit, for decoders count the pixels they pad with.
        max_coded_pixels = min(2 * self._max_pixels + 2**16, 2**31 - 1)
        self._container = self._source.open(max_coded_pixels)
        self._at_start = True
        self._stream = _best_stream(self._container)
        codec = self._stream.codec_context
        codec.thread_type, codec.thread_count = "AUTO", self._threads
        codec.options = {"max_pixels": str(max_coded_pixels)}
        self._check_pixels(codec.width, codec.height)

    def frames(self, start_pts: int | None = None, end_pts: int | None = None) -> Iterator[Frame]:
        """Frames with start_pts <= pts < end_pts in presentation order; all of them by default.

        Packets that do not decode are counted and passed over. Where files were joined and times start again, time
        goes on by one frame.

        Raises:
            VideoError: a frame is larger than allowed, or times run backwards in a format whose files cannot be joined.
            OSError: the disk or the network fails.
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
            self._container.close()
            self._open()

    def _timed(self) -> Iterator[Frame]:
        """Frames with strictly rising times; a missing time is filled in from the claimed rate."""
        self._at_start = False
        self._last, self._offset = None, 0
        frame_ticks = max(1, round(1 / (self.info.frame_rate * self.info.time_base)))
        for raw in self._decoded():
            last = self._last
            pts = raw.pts + self._offset if raw.pts is not None else (0 if last is None else last + frame_ticks)
            if last is not None and (last - pts) * self.info.time_base > MAX_BACKWARD_S:
                self._check_joinable(last, pts)
                self._offset += last + frame_ticks - pts
                pts = last + frame_ticks
            self._last = pts if last is None else max(pts, last + 1)
            self._check_pixels(raw.width, raw.height)
            yield Frame(self._last, raw, self._pixel_aspect(), self._scalers)
        if self._last is None and not self._stream.codec_context.width:
            limit = f"the limit is {self._max_pixels} pixels"
            raise VideoError(f"no frame could be decoded: of unknown size, or one far too large; {limit}")

    def _check_joinable(self, last: int, pts: int) -> None:
        if self.info.container not in JOINABLE_FORMATS:
            seconds = [round(float(time * self.info.time_base), 3) for time in (last, pts)]
            raise VideoError(f"timestamps run backwards: from {seconds[0]} s to {seconds[1]} s")

    def _pixel_aspect(self) -> Fraction:
        aspect = self._stream.sample_aspect_ratio
        return Fraction(aspect) if aspect and Fraction(1, 10) < aspect < 10 else Fraction(1)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        # Decoders that work on several frames at a time tell of an error only some packets later.
        suspects: deque[int] = deque(maxlen=self._threads or MOST_THREADS)
        for packet in self._packets():
            suspects.append(self._time_of(packet))
            try:
                yield from packet.decode()
            except FFmpegError as error:
                # Of a frame past its own limit libav says no more than that it did not decode, or lacks memory for it.
                self._check_pixels(self._stream.codec_context.width, self._stream.codec_context.height)
                if isinstance(error, MemoryError):  # no fault of the packet
                    raise
                self.num_decode_errors += 1
                self.lost_pts.extend(suspects)

    def _packets(self) -> Iterator[av.Packet]:
        try:
            yield from self._container.demux(self._stream)
        except EndOfFile:
            pass
        except MemoryError:
            raise
        except FFmpegError:  # the rest of the file cannot be read
            self.num_decode_errors += 1
        self._source.raise_trouble()

    def _time_of(self, packet: av.Packet) -> int:
        time = packet.dts if packet.pts is None else packet.pts
        return (self._last or 0) if time is None else time + self._offset

    def _check_pixels(self, width: int, height: int) -> None:
        if width * height > self._max_pixels:
            raise VideoError(f"frame too large: {width}x{height} pixels, the limit is {self._max_pixels}")


@contextmanager
def open_video(source: str | bytes | BinaryIO, threads: int = 1, max_pixels: int = MAX_PIXELS) -> Iterator[Video]:
    """Opens the best video stream of a file: of those that can be decoded the one with most pixels.

    Args:
        source: path of a local file, or all its bytes, or a seekable binary file, which the caller closes.
        threads: decoder threads; 0 lets the decoder choose.
        max_pixels: frames with more pixels are refused, before memory is taken.

    Raises:
        VideoError: empty or unreadable file, no known format, no video stream, no decoder for it; inside the block
            also what `Video` raises.
        OSError: the disk or the network fails.
    """
    with closing(Video(source, threads, max_pixels)) as video:
        yield video


def _moving(container: InputContainer) -> list[av.VideoStream]:
    return [stream for stream in container.streams.video if not stream.disposition & NO_FOOTAGE]


def _best_stream(container: InputContainer) -> av.VideoStream:
    """Most pixels first, then the one marked as default, then the first."""
    streams = _moving(container)
    if not streams:
        raise VideoError("no video stream")
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        raise VideoError("no decoder for the video stream")

    def rank(stream: av.VideoStream) -> tuple[int, bool, int]:
        pixels = stream.codec_context.width * stream.codec_context.height
        return pixels, bool(stream.disposition & Disposition.default), -stream.index

    return max(decodable, key=rank)


def _plausible_rate(stream: av.VideoStream) -> Fraction:
    rates = [stream.average_rate, stream.guessed_rate]
    return next((Fraction(rate) for rate in rates if rate and 0 < rate <= 1000), Fraction(25))
