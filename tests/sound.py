"""Small videos with sound, written for tests."""

from pathlib import Path

import av
import numpy as np
from footage import noise_scene

from shards.video import open_video

RATE = 48_000


def write_with_sound(path: Path, codec: str, seconds: int = 3, **options: str) -> Path:
    """Ten frames a second, a keyframe each second; a tone that is twice as high every second."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=10, options={"g": "10", "sc_threshold": "0", "bf": "2"})
        pictures.width, pictures.height, pictures.pix_fmt = 96, 64, "yuv420p"
        sound = container.add_stream(codec, rate=RATE, options=options)
        assert isinstance(sound, av.AudioStream)
        sound.layout = "mono"
        for picture in noise_scene(1, 10 * seconds, size=(96, 64)):
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(pictures.encode())
        time = np.arange(RATE * seconds) / RATE
        tone = (0.5 * np.sin(2 * np.pi * 500 * 2 ** np.floor(time) * time) * 32767).astype(np.int16)
        resampler = av.AudioResampler(
            sound.format.name, "mono", RATE, frame_size=sound.codec_context.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(sound.encode(piece))
        container.mux(sound.encode())
    return path


def span(path: Path, first: int, last: int) -> tuple[int, int]:
    """Start and end, in ticks, of the frames number `first` to `last - 1`."""
    with open_video(str(path)) as video:
        pts = [frame.pts for frame in video.frames()]
    return pts[first], pts[last] if last < len(pts) else 2 * pts[-1] - pts[-2]
