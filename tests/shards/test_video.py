import errno
import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from footage import damage_packets, noise_scene, number_of, numbered_frame, write_streams, write_video

from shards.video import VideoError, open_video


def decode(path, start=None, end=None):
    return decode_source(str(path), start, end)


def decode_source(source, start=None, end=None):
    with open_video(source) as video:
        return [
            (frame.pts * video.info.time_base, number_of(frame.rgb(*frame.size))) for frame in video.frames(start, end)
        ]


def test_every_frame_comes_once_in_order_with_its_time(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(20)], bf="2")
    assert decode(path) == [(Fraction(k, 10), k) for k in range(20)]


def test_variable_frame_rate_keeps_true_times(tmp_path):
    pts = [0, 40, 200, 210, 500, 900]
    path = write_video(tmp_path / "a.mkv", [numbered_frame(k) for k in range(6)], pts=pts)
    assert decode(path) == [(Fraction(t, 1000), k) for k, t in enumerate(pts)]


@pytest.mark.parametrize("start", range(0, 40, 7))
def test_a_span_is_exact_wherever_keyframes_lie(tmp_path, start):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(40)], g="13", bf="2")
    with open_video(str(path)) as video:
        ticks = Fraction(1, 10) / video.info.time_base
        span = [number_of(f.rgb(*f.size)) for f in video.frames(int(start * ticks), int((start + 5) * ticks))]
        again = [number_of(f.rgb(*f.size)) for f in video.frames(0, int(3 * ticks))]
    assert span == [k % 25 for k in range(start, min(start + 5, 40))]
    assert again == [0, 1, 2]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_rotation_flag_is_applied(tmp_path, turn):
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:16, :, 0] = 250  # red band at the top
    stored = np.ascontiguousarray(np.rot90(upright, turn // 90))  # stored turned counterclockwise, flagged to turn back
    path = write_video(tmp_path / "a.mp4", [stored] * 3, rotation_deg=turn)
    with open_video(str(path)) as video:
        frame = next(video.frames())
        assert frame.rotation_deg == turn
        assert frame.size == (96, 64)
        picture = frame.rgb(48, 32)
    assert picture.shape == (32, 48, 3)
    assert picture[2, :, 0].mean() > 200 and picture[-2, :, 0].mean() < 50


def test_what_is_no_video_is_refused_with_a_reason(tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("<html>not found</html>")
    told = {"empty": "the file is empty", "text": "Invalid data", "missing": "No such file"}
    for name, why in told.items():
        with pytest.raises(VideoError, match=f"cannot be opened: {why}"), open_video(str(tmp_path / f"{name}.mp4")):
            pass


def test_a_playlist_named_mp4_reads_no_other_file(tmp_path):
    target = write_video(tmp_path / "target.mp4", [numbered_frame(k) for k in range(5)])
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
    for name, text in {"hls.mp4": hls, "concat.mp4": "ffconcat version 1.0\nfile '{}'\n"}.items():
        (tmp_path / name).write_text(text.format(target))
        with pytest.raises(VideoError), open_video(str(tmp_path / name)):
            pass


def test_a_file_in_memory_is_read_like_one_on_disk(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(40)], g="13", bf="2")
    data = path.read_bytes()
    assert decode_source(data) == decode(path)
    with open_video(data) as video:
        ticks = Fraction(1, 10) / video.info.time_base
        for start in (30, 0, 17, 3, None):
            span = video.frames(None if start is None else int(start * ticks), int(((start or 0) + 4) * ticks))
            assert [number_of(f.rgb(*f.size)) for f in span] == [k % 25 for k in range(start or 0, (start or 0) + 4)]


def test_bytes_are_trusted_no_more_than_files(tmp_path):
    target = write_video(tmp_path / "target.mp4", [numbered_frame(k) for k in range(5)])
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n"
    for data in (
        b"",
        b"<html>not found</html>",
        playlist.encode(),
        f"ffconcat version 1.0\nfile '{target}'\n".encode(),
    ):
        with pytest.raises(VideoError, match="cannot be opened"), open_video(data):
            pass
    with pytest.raises(VideoError, match="frame too large: 96x64"), open_video(target.read_bytes(), max_pixels=6000):
        pass


def test_large_frames_are_refused_before_decoding(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(0)] * 2)
    with pytest.raises(VideoError, match="frame too large: 96x64"), open_video(str(path), max_pixels=6000):
        pass


def numbers(path, **limits) -> list[int]:
    with open_video(str(path), **limits) as video:
        return [number_of(frame.rgb(96, 64)) for frame in video.frames()]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_frames_that_grow_far_too_large_are_refused_in_words(tmp_path, codec, threads):
    pair = [
        write_video(tmp_path / f"{side}.ts", [numbered_frame(k, (side, side)) for k in range(9)], codec=codec)
        for side in (96, 512)
    ]
    (tmp_path / "joined.ts").write_bytes(b"".join(path.read_bytes() for path in pair))
    assert len(numbers(tmp_path / "joined.ts")) == 18
    with pytest.raises(VideoError, match="frame too large: 512x512"):
        numbers(tmp_path / "joined.ts", threads=threads, max_pixels=96 * 96)


def test_libav_refuses_what_is_far_too_large_by_itself(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(0, (512, 512))] * 3)
    with open_video(str(path)) as video:
        video._stream.codec_context.options = {"max_pixels": "9999"}  # as `open_video` does, below the header's size
        assert not list(video.frames()) and video.num_decode_errors
    with open_video(str(path), max_pixels=512 * 512) as video:
        assert int(video._stream.codec_context.options["max_pixels"]) == 2 * 512 * 512 + 2**16


def test_a_header_that_claims_too_much_costs_no_frame(media: Path):
    assert len(numbers(media / "derived/header_says_65535x65535.mp4", max_pixels=960 * 540)) == 1


@pytest.mark.parametrize(("name", "codec"), [("a.ts", "libx264"), ("a.mpg", "mpeg2video")])
def test_time_goes_on_where_files_were_joined(tmp_path, name, codec):
    one = write_video(tmp_path / name, [numbered_frame(k) for k in range(50)], fps=25, codec=codec)
    joined = tmp_path / f"joined {name}"
    joined.write_bytes(one.read_bytes() * 3)
    alone, found = decode(one), decode(joined)
    assert len(found) == 3 * len(alone) and [number for _, number in found] == 3 * [number for _, number in alone]
    first = alone[0][0]
    lengths = [time - first for time, _ in alone] + [alone[-1][0] - first + Fraction(1, 25)]
    expected = [first + turn * lengths[-1] + time for turn in range(3) for time in lengths[:-1]]
    assert [time for time, _ in found] == expected


def test_a_span_behind_a_joint_is_the_one_that_was_split(tmp_path):
    one = write_video(tmp_path / "a.ts", [numbered_frame(k) for k in range(25)], g="5", bf="2")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() * 3)
    with open_video(str(joined)) as video:
        times = [frame.pts for frame in video.frames()]
        for start, end in ((30, 40), (3, 9), (60, 74), (20, 55)):
            span = list(video.frames(times[start], times[end]))
            assert [frame.pts for frame in span] == times[start:end]
            assert [number_of(frame.rgb(*frame.size)) for frame in span] == [k % 25 for k in range(start, end)]


class OutOfOrder:
    """Stands in for decoded frames with given times."""

    def __init__(self, pts: int) -> None:
        self.pts, self.width, self.height = pts, 96, 64


@pytest.mark.parametrize("back_s", [Fraction(1), Fraction(11, 10)])
def test_times_that_run_backwards_elsewhere_fail_in_words(tmp_path, monkeypatch, back_s):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(3)])
    with open_video(str(path)) as video:
        second = int(1 / video.info.time_base)
        times = [5 * second, 6 * second, int((6 - back_s) * second)]
        monkeypatch.setattr(video, "_decoded", lambda: iter([OutOfOrder(pts) for pts in times]))
        if back_s > 1:
            with pytest.raises(VideoError, match=r"timestamps run backwards: from 6\.0 s to 4\.9 s"):
                list(video.frames())
        else:
            assert [frame.pts for frame in video.frames()] == [5 * second, 6 * second, 6 * second + 1]


def test_yuv4mpeg_is_read_and_sought(tmp_path):
    planes = [bytes([20 + 8 * k]) * (96 * 64) + bytes([128]) * (96 * 64 // 2) for k in range(20)]
    header = b"YUV4MPEG2 W96 H64 F10:1 Ip A1:1 C420 XCOLORRANGE=FULL\n"
    (tmp_path / "a.y4m").write_bytes(header + b"".join(b"FRAME\n" + plane for plane in planes))
    assert decode(tmp_path / "a.y4m") == [(Fraction(k, 10), k) for k in range(20)]
    assert [time for time, _ in decode(tmp_path / "a.y4m", 7, 9)] == [Fraction(7, 10), Fraction(8, 10)]


@pytest.mark.parametrize(("name", "codec"), [("a.h264", "libx264"), ("a.hevc", "libx265")])
def test_frames_that_have_no_times_come_in_order_at_the_claimed_rate(tmp_path, name, codec):
    path = write_video(tmp_path / name, [numbered_frame(k) for k in range(20)], 25, codec, bf="2")
    with av.open(str(path)) as container:
        assert all(frame.pts is None for frame in container.decode(video=0))
    assert decode(path) == [(Fraction(k, 25), k) for k in range(20)]


def test_one_scaler_serves_a_whole_video(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(5)])
    with open_video(str(path)) as video:
        frames = list(video.frames())
        for frame in frames:
            frame.image(48, 32, "bgr24")
            frame.image(48, 32, "gray")
    assert len({id(frame.scalers) for frame in frames}) == 1 and len(frames[0].scalers._of) == 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_several_streams_the_one_of_most_pixels_is_read(tmp_path, order):
    small, large = [numbered_frame(3)] * 4, [numbered_frame(9, (128, 96))] * 6
    path = write_streams(tmp_path / "a.mp4", [(small, large)[index] for index in order])
    with open_video(str(path)) as video:
        frames = list(video.frames())
        assert (video.info.num_streams, video.info.stream_index) == (2, order.index(1))
        assert len(frames) == 6 and {number_of(frame.rgb(*frame.size)) for frame in frames} == {9}


def test_of_equal_streams_the_first_is_read(tmp_path):
    path = write_streams(tmp_path / "a.mp4", [[numbered_frame(k)] * 3 for k in (5, 6)])
    assert {number for _, number in decode(path)} == {5}


def test_a_missing_decoder_is_told(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(0)] * 2)
    (tmp_path / "b.mp4").write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(VideoError, match="no decoder for the video stream"), open_video(str(tmp_path / "b.mp4")):
        pass


@pytest.mark.parametrize("threads", [1, 2])
def test_packets_that_do_not_decode_are_counted_with_their_times(tmp_path, threads):
    path = write_video(tmp_path / "a.avi", [numbered_frame(k) for k in range(20)], g="1")
    when = decode(path)[7][0]
    with open_video(damage_packets(path.read_bytes(), {7}), threads) as video:
        frames = list(video.frames())
        assert [number_of(frame.rgb(*frame.size)) for frame in frames] == [k for k in range(20) if k != 7]
        assert video.num_decode_errors == 1
        lost = {time * video.info.time_base for time in video.lost_pts}
        assert when in lost and len(lost) <= threads


class FailingDisk(io.BytesIO):
    """A file whose disk fails behind a number of bytes."""

    def __init__(self, data: bytes, good_bytes: int, error: Exception) -> None:
        super().__init__(data)
        self.good_bytes, self.error = good_bytes, error

    def read(self, size: int = -1) -> bytes:
        if self.tell() + size > self.good_bytes:
            raise self.error
        return super().read(size)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOENT, errno.ESTALE, errno.ETIMEDOUT])
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts", "a.avi"])
def test_a_disk_that_fails_is_no_damage_of_the_video(tmp_path, name, number):
    path = write_video(tmp_path / name, noise_scene(0, 60, size=(320, 240)), g="10")
    data, error = path.read_bytes(), OSError(number, "the disk fails")
    assert len(data) > 150_000
    with (
        pytest.raises(OSError, match="the disk fails") as raised,
        open_video(FailingDisk(data, 70_000, error)) as video,
    ):
        list(video.frames())
    assert raised.value is error
    with pytest.raises(OSError, match="the disk fails"), open_video(FailingDisk(data, 0, error)):
        pass


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
def test_a_path_whose_disk_fails_is_no_damage_of_the_video():
    with pytest.raises(OSError, match="Input/output error"), open_video("/proc/self/mem"):
        pass


def test_a_file_of_the_caller_stays_open(tmp_path):
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(12)], g="5")
    with path.open("rb") as file:
        assert decode_source(file) == decode_source(file) == decode(path)
        assert not file.closed
