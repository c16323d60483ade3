import io

import av
import numpy as np
import pytest
from sound import RATE, span, write_with_sound

from shards.audio import add_audio
from shards.copy import copy_clip
from shards.encode import EncodeSettings, cut_clip
from shards.video import VideoError, open_video


def heard(data):
    """Times (s) of the packets of sound, and the main frequency (Hz) of the middle of it."""
    with av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(audio=0))
    wave = np.concatenate([frame.to_ndarray()[0].astype(float) for frame in frames])
    middle = wave[len(wave) // 4 : 3 * len(wave) // 4]
    peak = np.abs(np.fft.rfft(middle)).argmax() * RATE / len(middle)
    return [float(frame.pts * frame.time_base) for frame in frames], peak


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "aac"), ("a.ts", "aac"), ("a.mkv", "libopus"), ("a.mp4", "ac3")]
)
@pytest.mark.parametrize("way", ["copy", "encode"])
def test_the_sound_of_the_span_comes_with_it(tmp_path, name, codec, way):
    path = write_with_sound(tmp_path / name, codec)
    edges = span(path, 10, 20)
    silent = copy_clip(str(path), *edges, 10) if way == "copy" else cut_clip(str(path), *edges, EncodeSettings())
    video = add_audio(silent.video, str(path), *edges)
    times, hertz = heard(video)
    assert abs(hertz - 1000) < 5, "the second second"
    assert 0 <= times[0] < 0.1 and 0.9 < times[-1] < 1
    with open_video(video) as loud, open_video(silent.video) as quiet:
        for one, other in zip(loud.frames(), quiet.frames(), strict=True):
            assert one.pts == other.pts and np.array_equal(one.raw.to_ndarray(), other.raw.to_ndarray())
    assert add_audio(silent.video, str(path), *edges) == video, "equal bytes"


def test_sound_that_mp4_cannot_hold_is_left_out(tmp_path):
    path = write_with_sound(tmp_path / "a.mkv", "pcm_s16le")
    edges = span(path, 10, 20)
    clip = copy_clip(str(path), *edges, 10)
    assert add_audio(clip.video, str(path), *edges) == clip.video


def test_a_video_without_sound_stays_as_it_is(tmp_path):
    path = write_with_sound(tmp_path / "a.mkv", "pcm_s16le")
    silent = copy_clip(str(path), *span(path, 0, 10), 10).video
    (tmp_path / "b.mp4").write_bytes(silent)
    assert add_audio(silent, str(tmp_path / "b.mp4"), 0, 1000) == silent
    with pytest.raises(VideoError, match="cannot be opened"):
        add_audio(silent, str(tmp_path / "gone.mp4"), 0, 1000)
