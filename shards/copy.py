"""Cuts a clip out of a video by copying its packets into an mp4; nothing is decoded but one frame, to see that it can.

What cannot be cut so that exactly the frames of the span come out is refused with the reason, and can be encoded.
"""

from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import pairwise
from typing import BinaryIO

import av
from av.error import FFmpegError

from shards.mp4 import PackedClip, new_mp4
from shards.random_access import CODECS, stands_alone
from shards.video import JOINABLE_FORMATS, MAX_BACKWARD_S, MAX_PIXELS, Video, VideoError, open_video


class NotCopyable(Exception):
    """The clip cannot be cut by copying; the message is the reason."""


def copy_clip(
    source: str | BinaryIO, start_pts: int, end_pts: int, num_frames: int, max_pixels: int = MAX_PIXELS
) -> PackedClip:
    """Copies the frames with start_pts <= pts < end_pts: pictures, display matrix and pixel aspect stay as they are.

    The first frame comes out at time 0; all others keep their distance to it. Sound is left out.

    Args:
        source: path of a local video file, or a seekable file, which stays open.
        start_pts: ticks of the video's time base; a keyframe.
        end_pts: ticks, exclusive; also the end of the last frame.
        num_frames: frames that the span holds as they were decoded.
        max_pixels: frames with more pixels are refused.

    Raises:
        NotCopyable: the codec is none of `random_access.CODECS`; the span starts on no keyframe, or its frames need
            others outside of it; or packets and frames are not the same.
        VideoError: the file cannot be read, or a frame is too large.
    """
    with closing(_PacketReader(source, 1, max_pixels)) as reader:
        packets = reader.span(start_pts, end_pts)
        if len(packets) != num_frames:
            raise NotCopyable(f"{len(packets)} packets for {num_frames} frames")
        try:
            data = reader.write(packets, start_pts, end_pts)
        except (FFmpegError, ValueError) as error:
            raise NotCopyable(f"mp4 cannot hold it: {error}") from error
        seconds = (end_pts - start_pts) * reader.info.time_base
    width, height = _first_size(data, max_pixels)
    return PackedClip(data, float(num_frames / seconds), num_frames, width, height, num_frames, "copy")


def _first_size(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Width and height of the first frame as displayed."""
    try:
        with open_video(data, 1, max_pixels) as video:
            first = next(video.frames(), None)
    except VideoError as error:
        raise NotCopyable(f"the copy cannot be read: {error}") from error
    if first is None or first.pts or first.raw.is_corrupt:
        raise NotCopyable("the first frame of the copy does not decode")
    return first.size


class _PacketReader(Video):
    """A video whose packets are read and not decoded."""

    def span(self, start_pts: int, end_pts: int) -> list[av.Packet]:
        """The packets of the span's frames, as they are to be decoded.

        Raises:
            NotCopyable: they do not stand alone.
        """
        codec = self._stream.codec_context.codec.canonical_name
        if codec not in CODECS:
            raise NotCopyable(f"the codec {codec} is not copied")
        found = self._seek(start_pts) and self._cut(start_pts, end_pts)
        if not found:
            self._rewind()
            found = self._cut(start_pts, end_pts)
        if not found:
            raise NotCopyable("no packet has the time of its first frame")
        return found

    def _seek(self, start_pts: int) -> bool:
        if self.info.container in JOINABLE_FORMATS:
            return False
        self._at_start = False
        with suppress(FFmpegError):
            self._container.seek(start_pts, stream=self._stream, backward=True)
            return True
        return False

    def _cut(self, start_pts: int, end_pts: int) -> list[av.Packet]:
        """From the packet of the first frame on; none where it does not come any more."""
        found: list[av.Packet] = []
        is_beyond = False
        for packet in self._forward():
            if not found and packet.pts != start_pts:
                if packet.dts is not None and packet.dts > start_pts:
                    return []
                continue
            if packet.dts is not None and packet.dts >= end_pts:  # and so is the time of every frame from here on
                break
            if packet.pts is None:
                raise NotCopyable("a packet has no time")
            if packet.pts >= end_pts:
                is_beyond = True
            elif packet.pts >= start_pts:  # else a leading picture: it belongs to the GOP before
                self._check(packet, is_first=not found, is_beyond=is_beyond)
                found.append(packet)
        return found

    def _forward(self) -> Iterator[av.Packet]:
        """Packets as they come; refused where files were joined, for then frames have other times than packets."""
        latest, ticks = None, MAX_BACKWARD_S / self.info.time_base
        for packet in self._packets():
            if not packet.size:
                continue
            if self.info.container in JOINABLE_FORMATS and packet.pts is not None:
                latest = packet.pts if latest is None else max(latest, packet.pts)
                if latest - packet.pts > ticks:
                    raise NotCopyable("times run backwards")
            yield packet

    def _check(self, packet: av.Packet, is_first: bool, is_beyond: bool) -> None:
        codec = self._stream.codec_context
        if is_first and not packet.is_keyframe:
            raise NotCopyable("it starts on no keyframe")
        if is_first and not stands_alone(codec.codec.canonical_name, codec.extradata or b"", bytes(packet)):
            raise NotCopyable("its first frame is a keyframe that needs frames before it")
        if is_beyond:
            raise NotCopyable("its last frames need a frame behind it: an open GOP, or an end on no keyframe")
        if packet.is_corrupt:
            raise NotCopyable("a packet is damaged")
        if packet.has_sidedata("new_extradata") or packet.has_sidedata("encryption_info"):
            raise NotCopyable("the stream's parameters change, or it is encrypted")

    def write(self, packets: list[av.Packet], start_pts: int, end_pts: int) -> bytes:
        """The mp4 file. Decoding times are made anew, since some containers have none.

        Raises:
            FFmpegError: mp4 cannot hold the stream.
            NotCopyable: two frames have one time.
        """
        times = sorted(int(packet.pts or 0) for packet in packets)
        if len(set(times)) < len(times):
            raise NotCopyable("two packets have one time")
        delay = max(time - int(packet.pts or 0) for time, packet in zip(times, packets, strict=True))
        lasting = [following - time for time, following in pairwise([*times, end_pts])]
        with new_mp4(self.info.time_base) as (buffer, container):
            stream = container.add_stream_from_template(self._stream, opaque=True)
            for time, duration, packet in zip(times, lasting, packets, strict=True):
                packet.duration = lasting[-1] if packet.pts == times[-1] else duration
                packet.pts, packet.dts = int(packet.pts or 0) - start_pts, time - delay - start_pts
                packet.stream = stream
                container.mux_one(packet)
        return buffer.getvalue()
