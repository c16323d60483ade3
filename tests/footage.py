"""Small videos with known content, written for tests: frame k is told by its luma."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from curation.small_frame import SmallFrame, small_frame
from shards.video import Frame

SIZE = (96, 64)  # width, height


def numbered_frame(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """uint8 (H, W, 3) RGB whose gray level is 20 + 8 * (number mod 25)."""
    return np.full((size[1], size[0], 3), 20 + 8 * (number % 25), np.uint8)


def number_of(picture: np.ndarray) -> int:
    """The number that `numbered_frame` was given, modulo 25."""
    return round((float(picture.mean()) - 20) / 8)


def write_video(
    path: Path,
    frames: list[np.ndarray],
    fps: int = 10,
    codec: str = "libx264",
    pts: list[int] | None = None,
    rotation_deg: int = 0,
    matrix: list[int] | None = None,
    **options: str,
) -> Path:
    """Encodes frames; `pts` in ticks of 1/1000 s make the rate variable; `rotation_deg` turns the display clockwise.

    `matrix` is a display matrix of nine numbers.
    """
    time_base = Fraction(1, 1000) if pts else Fraction(1, fps)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options={"crf": "12", "preset": "veryfast", **options})
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.time_base = stream.codec_context.time_base = time_base
        if rotation_deg:
            stream.set_display_rotation(-rotation_deg)
        if matrix:
            stream.set_display_matrix(matrix)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = (pts[number] if pts else number), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_streams(path: Path, streams: list[list[np.ndarray]], fps: int = 10) -> Path:
    """Encodes several video streams into one file, as H.264."""
    with av.open(str(path), "w") as container:
        made = [container.add_stream("libx264", rate=fps, options={"crf": "12"}) for _ in streams]
        for stream, frames in zip(made, streams, strict=True):
            stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        for stream, frames in zip(made, streams, strict=True):
            for picture in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
    return path


def damage_packets(avi: bytes, numbers: set[int]) -> bytes:
    """An AVI of one stream with some of its packets overwritten."""
    data, start = bytearray(avi), avi.index(b"movi")
    for number in range(max(numbers) + 1):
        start = avi.index(b"00dc", start + 4)
        size = int.from_bytes(avi[start + 4 : start + 8], "little")
        if number in numbers:
            data[start + 8 : start + 8 + size] = bytes(size)
    return bytes(data)


def noise_scene(
    seed: int, num_frames: int, shift_px: float = 1.0, size: tuple[int, int] = (160, 120)
) -> list[np.ndarray]:
    """A smooth random texture that moves right by `shift_px` a frame: real enough for cut detectors and flow."""
    import cv2

    rng = np.random.default_rng(seed)
    width, height = size
    coarse = rng.integers(0, 256, (height // 8, width // 4, 3), np.uint8)
    texture = cv2.resize(coarse, (width * 2, height), interpolation=cv2.INTER_CUBIC)
    tint = rng.integers(0, 120, 3).astype(np.uint8)
    texture = cv2.addWeighted(texture, 0.6, np.broadcast_to(tint, texture.shape).copy(), 1.0, 0)
    moves = [np.float32([[1, 0, shift_px * k - width / 2], [0, 1, 0]]) for k in range(num_frames)]
    return [cv2.warpAffine(texture, move, size, borderMode=cv2.BORDER_WRAP) for move in moves]


def small(pts: int, picture: np.ndarray) -> SmallFrame:
    """A small frame of a picture, uint8 (H, W, 3) RGB, at a time."""
    return small_frame(Frame(pts, av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24"), Fraction(1)))
