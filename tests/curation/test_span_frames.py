import pytest
from footage import number_of, numbered_frame, write_video

from curation.config import LimitsConfig
from curation.scorer import Misfit
from curation.span_frames import SpanReader, read_span
from shards.video import VideoError

LIMITS = LimitsConfig()
TICKS = 1024  # of the time base that ours get, in one frame of 10 a second


def half(width: int, height: int) -> tuple[int, int]:
    return width // 2, height // 2


@pytest.fixture
def video(tmp_path) -> str:
    return str(write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(24)]))


def read(path: str, start: int, end: int, step_s=0.5, limits=LIMITS):
    return read_span(path, start * TICKS, end * TICKS, step_s, half, limits)


def test_the_first_frame_of_the_span_and_those_at_each_step(video):
    frames = read(video, 3, 15)
    assert [(time_s, number_of(picture)) for time_s, picture in frames] == [(0.0, 3), (0.5, 8), (1.0, 13)]
    assert frames[0][1].shape == (32, 48, 3)


def test_where_no_frame_stands_at_a_step_the_next_one_does(video):
    assert [time_s for time_s, _ in read(video, 0, 24, 0.375)] == pytest.approx([0.0, 0.4, 0.8, 1.2, 1.5, 1.9, 2.3])


def test_the_child_reads_the_same(video):
    reader = SpanReader(0.5, half, LimitsConfig())
    try:
        one, other = reader.frames(video, 3 * TICKS, 15 * TICKS), read(video, 3, 15)
        assert [time_s for time_s, _ in one] == [time_s for time_s, _ in other]
        assert all((a == b).all() for (_, a), (_, b) in zip(one, other, strict=True))
    finally:
        reader.close()


def test_limits_hold(video):
    with pytest.raises(VideoError, match="too many frames"):
        read(video, 0, 24, limits=LimitsConfig(max_frames=5))
    with pytest.raises(VideoError, match="frame too large"):
        read(video, 0, 24, limits=LimitsConfig(max_pixels=100))


def test_a_file_that_is_gone_is_no_fault_of_the_video(tmp_path):
    reader = SpanReader(0.5, half, LimitsConfig())
    try:
        (tmp_path / "b.mp4").write_bytes(b"no video")
        with pytest.raises(VideoError):
            reader.frames(str(tmp_path / "b.mp4"), 0, TICKS)
        with pytest.raises(Misfit, match=r"c\.mp4 is gone"):
            reader.frames(str(tmp_path / "c.mp4"), 0, TICKS)
    finally:
        reader.close()
