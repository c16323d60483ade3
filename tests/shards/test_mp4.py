import io
from fractions import Fraction

import av
import numpy as np
import pytest

from shards.mp4 import new_mp4
from shards.video import open_video


def written(time_base, ticks, num_frames):
    with new_mp4(time_base) as (buffer, container):
        # Reordered, so that there is an edit list, which tells the length once more.
        options = {"flags": "+bitexact+frame_duration", "x264-params": "bframes=2:b-adapt=0"}
        stream = container.add_stream("libx264", rate=25, time_base=time_base, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.time_base = 96, 64, "yuv420p", time_base
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(np.full((96, 96), 9 * number, np.uint8), format="yuv420p")
            frame.pts, frame.duration, frame.time_base = number * ticks, ticks, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("time_base", "ticks"), [(Fraction(1, 30000), 1001), (Fraction(1001, 30000), 1), (Fraction(1, 90000), 3754)]
)
def test_the_length_is_told_to_the_tick(time_base, ticks):
    data = written(time_base, ticks, 7)
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        times = [frame.pts * stream.time_base for frame in container.decode(stream)]
    assert times == [k * ticks * time_base for k in range(7)]
    assert stream.duration * stream.time_base == 7 * ticks * time_base
    assert written(time_base, ticks, 7) == data, "equal bytes"
    assert 0 < data.find(b"moov") < data.find(b"mdat") and b"Lavf" not in data


def test_a_large_file_is_whole():
    with new_mp4(Fraction(1, 25)) as (buffer, container):
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuvj420p"
        pictures = np.random.default_rng(0).integers(0, 256, (12, 720, 640), np.uint8)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuvj420p")))
        container.mux(stream.encode())
    assert len(buffer.getvalue()) > 2**20, "several reads of the second view"
    with open_video(buffer.getvalue()) as video:
        assert len(list(video.frames())) == 12 and not video.num_decode_errors
