"""Adds the sound of a span to its packed video, by copying packets; nothing is decoded."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from fractions import Fraction
from heapq import merge
from typing import BinaryIO

import av
import pyarrow as pa
from av.error import EOFError as EndOfFile
from av.error import FFmpegError

from shards.mp4 import new_mp4
from shards.source import words
from shards.video import JOINABLE_FORMATS, MAX_PIXELS, Video

CODECS = {"aac", "mp3", "opus", "flac", "alac", "ac3", "eac3"}
"""Those that mp4 can hold and common readers play."""
NO_SOUND = "none"
DROPPED = "dropped: "


def add_audio(
    video: bytes, source: str | BinaryIO, start_pts: int, end_pts: int, max_pixels: int = MAX_PIXELS
) -> tuple[bytes, str]:
    """The packed video with the sound that begins within its span.

    Sound comes in packets of some milliseconds, so it may begin and end by one of them later than the pictures.

    Args:
        video: an mp4 file.
        source: what it was cut from: path of a local video file, or a seekable file, which stays open.
        start_pts: ticks of the source's video time base.
        end_pts: ticks, exclusive.
        max_pixels: frames of the source may have so many; as it was opened before.

    Returns:
        The mp4 file, and what became of its sound: the codec, as `aac`; or the file unchanged, and `none` where the
        span has no sound, or `dropped: ` and why, where it has some that cannot be kept.

    Raises:
        VideoError: the source cannot be opened.
        OSError: the disk or the network fails.
    """
    with closing(_AudioReader(source, 1, max_pixels)) as reader:
        sound = reader.audio()
        codec, packets = _codec(sound) if sound else "", []
        try:
            packets += reader.span(sound, start_pts, end_pts) if sound else []
        except MemoryError:  # no fault of the file
            raise
        except FFmpegError as error:
            return video, f"{DROPPED}its {codec} cannot be read ({words(error)})"
        if not sound or not packets:
            return video, NO_SOUND
        if codec not in CODECS:
            return video, f"{DROPPED}mp4 cannot hold {codec}"
        with closing(_Packed(video, 1, max_pixels)) as pictures:
            try:
                return pictures.with_sound(sound, packets), codec
            except (FFmpegError, ValueError) as error:
                return video, f"{DROPPED}mp4 cannot hold this {codec} ({words(error)})"


def lost_sounds(audio: pa.ChunkedArray) -> Counter[str]:
    """Samples by the reason why their sound was left out; of the column `audio` of an index."""
    return Counter(told.removeprefix(DROPPED) for told in audio.to_pylist() if told and told.startswith(DROPPED))


def _codec(sound: av.AudioStream) -> str:
    known = sound.codec_context  # none for a codec that libav cannot decode
    return known.codec.canonical_name if known is not None else "sound of an unknown codec"


class _AudioReader(Video):
    """A video of which only the sound is read."""

    def audio(self) -> av.AudioStream | None:
        """The first stream of sound that mp4 can hold, else the first."""
        streams = self._container.streams.audio
        return next((stream for stream in streams if _codec(stream) in CODECS), next(iter(streams), None))

    def span(self, sound: av.AudioStream, start_pts: int, end_pts: int) -> Iterator[av.Packet]:
        """Packets of sound that begin in the span, counted from its start.

        Raises:
            FFmpegError: the file cannot be read to the end of the span.
            OSError: the disk or the network fails.
        """
        start, end = (pts * self.info.time_base for pts in (start_pts, end_pts))
        if self.info.container not in JOINABLE_FORMATS:
            with suppress(FFmpegError):
                self._container.seek(start_pts, stream=self._stream, backward=True)
        for packet in self._sounds(sound):
            if not packet.size or packet.pts is None or packet.time_base is None:
                continue
            if packet.pts * packet.time_base >= end:
                return
            if packet.pts * packet.time_base >= start:
                packet.pts = packet.dts = packet.pts - round(start / packet.time_base)
                yield packet

    def _sounds(self, sound: av.AudioStream) -> Iterator[av.Packet]:
        """Packets of sound to the end of the file, which trouble of the disk is not."""
        try:
            with suppress(EndOfFile):
                yield from self._container.demux(sound)
        finally:
            self._source.raise_trouble()


class _Packed(Video):
    """A packed video whose packets go into another file."""

    def with_sound(self, sound: av.AudioStream, packets: list[av.Packet]) -> bytes:
        """The mp4 of both, in the order of their times."""
        pictures = [packet for packet in self._packets() if packet.size]
        with new_mp4(self.info.time_base) as (buffer, container):
            streams = {
                template: container.add_stream_from_template(template, opaque=True)
                for template in (self._stream, sound)
            }
            for packet in merge(pictures, packets, key=_seconds):
                packet.stream = streams[packet.stream]
                container.mux_one(packet)
        return buffer.getvalue()


def _seconds(packet: av.Packet) -> Fraction:
    return (packet.dts or 0) * (packet.time_base or Fraction(1))
