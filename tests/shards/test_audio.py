import io

import av
import numpy as np
import pyarrow as pa
import pytest
from av.error import InvalidDataError
from sound import RATE, span, write_with_sound

from shards.audio import _AudioReader, _Packed, add_audio, lost_sounds
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
    ("name", "encoder", "codec"),
    [
        ("a.mp4", "aac", "aac"),
        ("a.mkv", "aac", "aac"),
        ("a.ts", "aac", "aac"),
        ("a.mkv", "libopus", "opus"),
        ("a.mp4", "ac3", "ac3"),
    ],
)
@pytest.mark.parametrize("way", ["copy", "encode"])
def test_the_sound_of_the_span_comes_with_it(tmp_path, name, encoder, codec, way):
    path = write_with_sound(tmp_path / name, encoder)
    edges = span(path, 10, 20)
    silent = copy_clip(str(path), *edges, 10) if way == "copy" else cut_clip(str(path), *edges, EncodeSettings())
    video, told = add_audio(silent.content, str(path), *edges)
    assert told == codec
    times, hertz = heard(video)
    assert abs(hertz - 1000) < 5, "the second second"
    assert 0 <= times[0] < 0.1 and 0.9 < times[-1] < 1
    with open_video(video) as loud, open_video(silent.content) as quiet:
        for one, other in zip(loud.frames(), quiet.frames(), strict=True):
            assert one.pts == other.pts and np.array_equal(one.raw.to_ndarray(), other.raw.to_ndarray())
    assert add_audio(silent.content, str(path), *edges) == (video, told), "equal bytes"


@pytest.mark.parametrize("codec", ["pcm_s16le", "mp2"])
def test_sound_that_mp4_cannot_hold_is_left_out_and_told(tmp_path, codec):
    path = write_with_sound(tmp_path / "a.mkv", codec)
    edges = span(path, 10, 20)
    clip = copy_clip(str(path), *edges, 10)
    assert add_audio(clip.content, str(path), *edges) == (clip.content, f"dropped: mp4 cannot hold {codec}")


def test_sound_that_cannot_be_read_or_packed_is_left_out_and_told(tmp_path, monkeypatch):
    path = write_with_sound(tmp_path / "a.mp4", "aac")
    edges = span(path, 10, 20)
    clip = copy_clip(str(path), *edges, 10)

    def fail(*_):
        raise InvalidDataError(1, "Invalid data")

    with monkeypatch.context() as patch:
        patch.setattr(_Packed, "with_sound", fail)
        told = "dropped: mp4 cannot hold this aac (Invalid data)"
        assert add_audio(clip.content, str(path), *edges) == (clip.content, told)
    monkeypatch.setattr(_AudioReader, "span", fail)
    assert add_audio(clip.content, str(path), *edges) == (
        clip.content,
        "dropped: its aac cannot be read (Invalid data)",
    )


def test_a_disk_that_fails_amid_the_sound_is_no_end_of_it(tmp_path):
    path = write_with_sound(tmp_path / "a.ts", "aac")
    edges = span(path, 0, 30)
    clip = copy_clip(str(path), *edges, 30)

    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > len(self.getbuffer()) // 2:
                raise OSError(5, "Input/output error")
            return super().read(size)

    data = path.read_bytes() * 2  # what libav probes and buffers lies before the half
    with pytest.raises(OSError, match="Input/output error"):
        add_audio(clip.content, Failing(data + bytes(2**20)), *edges)


def test_a_span_after_the_sound_has_none(tmp_path):
    path = write_with_sound(tmp_path / "a.mkv", "aac")
    _, last = span(path, 0, 30)
    clip = copy_clip(str(path), *span(path, 20, 30), 10)
    assert add_audio(clip.content, str(path), 2 * last, 3 * last) == (clip.content, "none")


def test_reasons_are_counted():
    column = pa.chunked_array([["aac", None, "none", "dropped: b"], ["dropped: a", "dropped: b"]])
    assert lost_sounds(column) == {"b": 2, "a": 1}


def test_a_video_without_sound_stays_as_it_is(tmp_path):
    path = write_with_sound(tmp_path / "a.mkv", "pcm_s16le")
    silent = copy_clip(str(path), *span(path, 0, 10), 10).content
    (tmp_path / "b.mp4").write_bytes(silent)
    assert add_audio(silent, str(tmp_path / "b.mp4"), 0, 1000) == (silent, "none")
    with pytest.raises(VideoError, match="cannot be opened"):
        add_audio(silent, str(tmp_path / "gone.mp4"), 0, 1000)
