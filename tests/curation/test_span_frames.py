import numpy as np
import pytest
from footage import number_of, numbered_frame, write_video

from curation import span_frames
from curation.child import ChildDied
from curation.config import LimitsConfig
from curation.scorer import Misfit
from curation.span_frames import SpanReader, read_span
from shards.video import VideoError

LIMITS = LimitsConfig()
TICKS = 1024  # of the time base that ours get, in one frame of 10 a second
SIZE = (48, 32)


@pytest.fixture
def video(tmp_path) -> str:
    return str(write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(24)]))


def read(path: str, start: int, end: int, step_s=0.5, limits=LIMITS):
    answer = read_span(path, start * TICKS, end * TICKS, step_s, SIZE, limits)
    return [(time_s, np.frombuffer(picture, np.uint8).reshape(32, 48, 3)) for time_s, picture in answer]


def test_the_first_frame_of_the_span_and_those_at_each_step(video):
    frames = read(video, 3, 15)
    assert [(time_s, number_of(picture)) for time_s, picture in frames] == [(0.0, 3), (0.5, 8), (1.0, 13)]


def test_where_no_frame_stands_at_a_step_the_next_one_does(video):
    assert [time_s for time_s, _ in read(video, 0, 24, 0.375)] == pytest.approx([0.0, 0.4, 0.8, 1.2, 1.5, 1.9, 2.3])


@pytest.fixture
def reader():
    reader = SpanReader(0.5, LIMITS)
    yield reader
    reader.close()


def test_the_child_reads_the_same(video, reader):
    one, other = reader.frames(video, 3 * TICKS, 15 * TICKS, SIZE), read(video, 3, 15)
    assert [time_s for time_s, _ in one] == [time_s for time_s, _ in other] == [0.0, 0.5, 1.0]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(one, other, strict=True))


PICTURE = bytes(48 * 32 * 3)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [[0.0]],
        [[0.0, "text"]],
        [[0.0, PICTURE[:-1]]],
        [[0, PICTURE]],
        [["0.5", PICTURE]],
        [[float("nan"), PICTURE]],
        [[0.0, PICTURE], [float("inf"), PICTURE]],
        [[0.5, PICTURE], [0.5, PICTURE]],
    ],
)
def test_an_answer_that_cannot_be_is_not_believed(video, reader, answer, monkeypatch):
    monkeypatch.setattr(reader._child, "call", lambda *args, read: read(answer))
    with pytest.raises((TypeError, ValueError)):  # what `Child.call` takes for a lie
        reader.frames(video, 0, TICKS, SIZE)


def test_a_child_that_dies_or_lies_costs_the_clip(video, reader, monkeypatch):
    def died(*args, read):
        raise ChildDied("crashed: its reader's answer is refused")

    monkeypatch.setattr(reader._child, "call", died)
    with pytest.raises(VideoError, match="answer is refused"):
        reader.frames(video, 0, TICKS, SIZE)


def test_a_clip_of_more_pictures_than_can_be_sent_is_told_with_the_way_out(video, monkeypatch):
    monkeypatch.setattr(span_frames, "MAX_BLOB_BYTES", 3 * len(PICTURE))
    assert len(read(video, 3, 15)) == 3
    with pytest.raises(VideoError, match=r"more than 3 pictures of 48x32\. Score smaller pictures .*max_clip_s"):
        read(video, 3, 24)


def test_limits_hold(video):
    with pytest.raises(VideoError, match="too many frames"):
        read(video, 0, 24, limits=LimitsConfig(max_frames=5))
    with pytest.raises(VideoError, match="frame too large"):
        read(video, 0, 24, limits=LimitsConfig(max_pixels=100))


def test_a_file_that_is_no_video_is_told_and_trouble_of_the_disk_stops_the_job(tmp_path, reader, monkeypatch):
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(VideoError):
        reader.frames(str(tmp_path / "b.mp4"), 0, TICKS, SIZE)

    def failing(*args, read):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(reader._child, "call", failing)
    with pytest.raises(Misfit, match=r"b\.mp4 cannot be read now .*Input/output error"):
        reader.frames(str(tmp_path / "b.mp4"), 0, TICKS, SIZE)
