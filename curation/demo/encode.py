"""Writes and reads back the files of the demo corpus: the only code of the demo that touches libav.

Every encoder runs on one thread and every container is told to be bit-exact, so that equal pictures give equal bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from curation.demo.plan import Encoding

_FORMATS = {"mp4": "mp4", "mkv": "matroska", "mov": "mov", "webm": "webm", "avi": "avi", "ts": "mpegts"}
_BITEXACT = {"fflags": "+bitexact"}
# x264 with macroblock trees (veryfast and slower) and B-frames gives other bytes from run to run; superfast has none.
_ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"preset": "superfast", "crf": "22"}),
    "hevc": ("libx265", {"preset": "ultrafast", "crf": "24", "x265-params": "pools=none:frame-threads=1:log-level=0"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "crf": "28", "b": "0"}),
    "av1": ("libsvtav1", {"preset": "12", "crf": "32", "svtav1-params": "lp=1"}),
    "mpeg4": ("mpeg4", {"b": "600k"}),
    "mjpeg": ("mjpeg", {"b": "1500k"}),
}


@dataclass(frozen=True)
class Decoded:
    """What a decoder says of a file."""

    pts: list[int]
    """Presentation times of all frames that decode, rising, in ticks of the time base."""
    end_pts: int
    """End of the last frame."""
    time_base: Fraction
    width: int
    """Pixels as displayed."""
    height: int
    """Pixels as displayed."""


def write_video(path: Path, encoding: Encoding, pictures: Iterable[tuple[int, np.ndarray]]) -> None:
    """Encodes pictures into a file. Where their size changes, the stream's size changes with them.

    Args:
        path: The file to write.
        encoding: Codec, container and rate.
        pictures: pts in ticks of `encoding.time_base`, and uint8 (H, W, 3) RGB as displayed.
    """
    name, options = _ENCODERS[encoding.codec]
    with av.open(path, "w", format=_FORMATS[encoding.container], options=_BITEXACT) as container:
        stream = cast(av.VideoStream, container.add_stream(name, rate=encoding.fps))
        if encoding.rotation_deg:
            stream.set_display_rotation(encoding.rotation_deg)
        for run, (shape, shown) in enumerate(groupby(pictures, key=lambda item: item[1].shape)):
            encoder = cast(VideoCodecContext, av.CodecContext.create(name, "w")) if run else stream.codec_context
            encoder.options = options
            _configure(encoder, encoding, *shape[:2])
            for pts, picture in shown:
                _mux(container, stream, encoder.encode(_to_frame(picture, pts, encoding, encoder.pix_fmt)))
            _mux(container, stream, encoder.encode(None))


def _configure(encoder: VideoCodecContext, encoding: Encoding, height: int, width: int) -> None:
    turned = encoding.rotation_deg % 180 != 0
    encoder.width, encoder.height = (height, width) if turned else (width, height)
    encoder.pix_fmt = "yuvj420p" if encoding.codec == "mjpeg" else "yuv420p"
    encoder.framerate, encoder.time_base = encoding.fps, encoding.time_base
    encoder.gop_size = round(encoding.keyframe_s * encoding.fps)
    encoder.max_b_frames = encoding.b_frames
    encoder.thread_count = 1


def _to_frame(picture: np.ndarray, pts: int, encoding: Encoding, pixel_format: str | None) -> av.VideoFrame:
    stored = np.ascontiguousarray(np.rot90(picture, -encoding.rotation_deg // 90))
    frame = av.VideoFrame.from_ndarray(stored, format="rgb24").reformat(format=pixel_format, threads=1)
    frame.pts, frame.time_base = pts, encoding.time_base
    return frame


def _mux(container: OutputContainer, stream: av.VideoStream, packets: list[av.Packet]) -> None:
    for packet in packets:
        packet.stream = stream
        container.mux_one(packet)


def remux(source: Path, target: Path, container: str) -> None:
    """Copies the coded stream of a video into another container; no picture changes.

    Args:
        source: A video file.
        target: The file to write.
        container: mp4 | mkv | mov | webm | avi | ts.
    """
    with av.open(source) as incoming, av.open(target, "w", format=_FORMATS[container], options=_BITEXACT) as outgoing:
        stream = incoming.streams.video[0]
        copied = outgoing.add_stream_from_template(stream)
        _mux(outgoing, copied, [packet for packet in incoming.demux(stream) if packet.dts is not None])


def write_sound(path: Path, seconds: float = 3.0, rate: int = 48000) -> None:
    """Writes an mp4 file that holds a tone and no video.

    Args:
        path: The file to write.
        seconds: Length of the tone.
        rate: Samples a second.
    """
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate).astype(np.float32)
    with av.open(path, "w", format="mp4", options=_BITEXACT) as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def read_back(path: Path) -> Decoded | None:
    """Decodes a file from end to end, passing over packets that do not decode.

    Args:
        path: Any file.

    Returns:
        What came out; None when no frame did.
    """
    try:
        with av.open(path) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            frames = [frame for packet in container.demux(stream) for frame in _frames_of(packet)]
            time_base = stream.time_base or Fraction(1)
    except (FFmpegError, IndexError):
        return None
    return _describe(frames, time_base) if frames else None


def _frames_of(packet: av.Packet) -> list[av.VideoFrame]:
    try:
        return packet.decode()
    except FFmpegError:
        return []


def _describe(frames: list[av.VideoFrame], time_base: Fraction) -> Decoded:
    pts = sorted(frame.pts for frame in frames if frame.pts is not None)
    turned = frames[0].rotation % 180 != 0
    size = (frames[0].height, frames[0].width) if turned else (frames[0].width, frames[0].height)
    last_duration = frames[-1].duration or (pts[-1] - pts[0]) // max(1, len(pts) - 1)
    return Decoded(pts, pts[-1] + last_duration, time_base, *size)
