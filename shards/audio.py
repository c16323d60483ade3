"""Adds the sound of a span to its packed video, by copying packets; nothing is decoded."""

from collections.abc import Iterator
from contextlib import closing, suppress
from fractions import Fraction
from heapq import merge
from typing import BinaryIO

import av
from av.error import FFmpegError

from shards.mp4 import new_mp4
from shards.video import JOINABLE_FORMATS, MAX_PIXELS, Video, VideoError

CODECS = {"aac", "mp3", "opus", "flac", "alac", "ac3", "eac3"}
"""Those that mp4 can hold and common readers play."""


def add_audio(
    video: bytes, source: str | BinaryIO, start_pts: int, end_pts: int, max_pixels: int = MAX_PIXELS
) -> bytes:
    """The packed video with the sound that begins within its span; unchanged where there is none that mp4 can hold.

    Sound comes in packets of some milliseconds, so it may begin and end by one of them later than the pictures.

    Args:
        video: an mp4 file.
        source: what it was cut from: path of a local video file, or a seekable file, which stays open.
        start_pts: ticks of the source's video time base.
        end_pts: ticks, exclusive.
        max_pixels: frames of the source may have so many; as it was opened before.

    Raises:
        VideoError: the source cannot be opened, or its sound does not fit into mp4 after all.
    """
    with closing(_AudioReader(source, 1, max_pixels)) as reader:
        sound = reader.audio()
        packets = list(reader.span(sound, start_pts, end_pts)) if sound else []
        if not sound or not packets:
            return video
        with closing(_Packed(video, 1, max_pixels)) as pictures:
            try:
                return pictures.with_sound(sound, packets)
            except FFmpegError as error:
                raise VideoError(f"its sound cannot be packed: {error}") from error


class _AudioReader(Video):
    """A video of which only the sound is read."""

    def audio(self) -> av.AudioStream | None:
        """The first stream of sound that mp4 can hold."""
        known = (stream for stream in self._container.streams.audio if stream.codec_context is not None)
        return next((stream for stream in known if stream.codec_context.codec.canonical_name in CODECS), None)

    def span(self, sound: av.AudioStream, start_pts: int, end_pts: int) -> Iterator[av.Packet]:
        """Packets of sound that begin in the span, counted from its start."""
        start, end = (pts * self.info.time_base for pts in (start_pts, end_pts))
        if self.info.container not in JOINABLE_FORMATS:
            with suppress(FFmpegError):
                self._container.seek(start_pts, stream=self._stream, backward=True)
        for packet in self._container.demux(sound):
            if not packet.size or packet.pts is None or packet.time_base is None:
                continue
            if packet.pts * packet.time_base >= end:
                return
            if packet.pts * packet.time_base >= start:
                packet.pts = packet.dts = packet.pts - round(start / packet.time_base)
                yield packet


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
