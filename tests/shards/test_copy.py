import io
from fractions import Fraction

import av
import numpy as np
import pytest
from footage import noise_scene, numbered_frame, write_video

from shards.copy import NotCopyable, _PacketReader, copy_clip
from shards.encode import EncodeSettings, cut_clip
from shards.frame import Orientation
from shards.planes import planes
from shards.video import VideoError, open_video

H264 = {"g": "8", "sc_threshold": "0"}
STREAMS = {
    "H.264": ("a.mp4", "libx264", {**H264, "bf": "0"}),
    "H.264, reordered": ("a.mp4", "libx264", {**H264, "bf": "3"}),
    "H.264 in Matroska": ("a.mkv", "libx264", {**H264, "bf": "3"}),
    "H.264 with start codes": ("a.ts", "libx264", {**H264, "bf": "3"}),
    "H.264 in FLV": ("a.flv", "libx264", {**H264, "bf": "2"}),
    "HEVC": ("a.mp4", "libx265", {"x265-params": "keyint=8:min-keyint=8:scenecut=0:open-gop=0:log-level=none"}),
    "HEVC in Matroska": ("a.mkv", "libx265", {"x265-params": "keyint=8:min-keyint=8:open-gop=0:log-level=none"}),
    "HEVC with start codes": ("a.ts", "libx265", {"x265-params": "keyint=8:min-keyint=8:open-gop=0:log-level=none"}),
    "VP9": ("a.webm", "libvpx-vp9", {"g": "8", "deadline": "realtime", "cpu-used": "8"}),
    "AV1": ("a.mkv", "libsvtav1", {"g": "8", "preset": "12", "svtav1-params": "enable-force-key-frames=0"}),
}
OPEN_GOP = "keyint=8:min-keyint=8:scenecut=0:open-gop=1:bframes=3:b-adapt=0:log-level=none"


class Film:
    """A video with what its frames are, as a reader sees them."""

    def __init__(self, path, copied_from=None):
        self.path = str(path)
        with open_video(copied_from or self.path) as video:
            self.frames = list(video.frames())
            self.time_base, self.container = video.info.time_base, video.info.container
            assert not video.num_decode_errors
        self.pts = [frame.pts for frame in self.frames]
        self.ends = [*self.pts[1:], 2 * self.pts[-1] - self.pts[-2] if len(self.pts) > 1 else self.pts[0] + 1]

    @property
    def keyframes(self):
        return [number for number, frame in enumerate(self.frames) if frame.raw.key_frame]

    def span(self, first, last):
        """First and end of the frames number `first` to `last - 1`."""
        return self.pts[first], self.ends[last - 1]

    def copy(self, first, last):
        return copy_clip(self.path, *self.span(first, last), last - first)

    def refused(self, first, last):
        with pytest.raises(NotCopyable) as refusal:
            self.copy(first, last)
        return str(refusal.value)


def pixels(frames):
    """Every plane of every frame, without the decoder's padding."""
    return [plane for frame in frames for plane in planes(frame.raw)[0]]


def prove(film, first, last):
    """The copy of a span has its frames bit for bit, at their times, lying as they lay, and lasts as long."""
    clip = film.copy(first, last)
    copied, wanted = Film("", clip.content), film.frames[first:last]
    for one, other in zip(pixels(copied.frames), pixels(wanted), strict=True):
        assert np.array_equal(one, other)
    start, end = film.span(first, last)
    times = [(frame.pts - start) * film.time_base for frame in wanted]
    assert [frame.pts * copied.time_base for frame in copied.frames] == times
    for mine, theirs in zip(copied.frames, wanted, strict=True):
        assert (mine.orientation, mine.pixel_aspect, mine.size) == (
            theirs.orientation,
            theirs.pixel_aspect,
            theirs.size,
        )
    assert (clip.width, clip.height) == wanted[0].size
    assert clip.num_frames == clip.num_source_frames == last - first and clip.made_by == "copy"
    seconds = (end - start) * film.time_base
    assert clip.fps == pytest.approx(float((last - first) / seconds))
    with av.open(io.BytesIO(clip.content)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        stream = container.streams.video[0]
        assert stream.duration * stream.time_base == seconds
        assert Fraction(container.duration, 10**6) == pytest.approx(float(seconds), abs=2e-6)
    return clip


@pytest.mark.parametrize("stream", STREAMS)
def test_from_keyframe_to_keyframe_exactly_the_frames_come_out(tmp_path, stream):
    name, codec, options = STREAMS[stream]
    film = Film(write_video(tmp_path / name, noise_scene(1, 30, shift_px=1.7), codec=codec, **options))
    keys = film.keyframes
    assert keys == [0, 8, 16, 24]
    for first, last in [(0, 8), (8, 24), (16, 30), (0, 30)]:
        clip = prove(film, first, last)
        assert film.copy(first, last) == clip, "equal bytes"
    assert 0 < clip.content.find(b"moov") < clip.content.find(b"mdat") and b"Lavf" not in clip.content


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_uneven_times_stay_with_reordered_frames(tmp_path, name):
    pts = [0, 40, 200, 210, 500, 900, 933, 1000, 1500, 1517, 1600, 1750, 1800, 2000, 2100, 2900]
    film = Film(write_video(tmp_path / name, noise_scene(2, 16), pts=pts, g="8", bf="3", sc_threshold="0"))
    assert film.keyframes == [0, 8]
    prove(film, 0, 8)
    prove(film, 8, 16)


def test_the_end_of_a_last_frame_is_that_of_the_span(tmp_path):
    film = Film(write_video(tmp_path / "a.mp4", noise_scene(2, 16), bf="0", **H264))
    film.ends[-1] += 12345
    clip = prove(film, 8, 16)
    *_, last = Film("", clip.content).frames
    with open_video(clip.content) as video:
        assert last.raw.duration * video.info.time_base == (film.ends[-1] - film.pts[-1]) * film.time_base


@pytest.mark.parametrize("matrix", ["turned", "mirrored"])
def test_the_display_matrix_stays(tmp_path, matrix):
    numbers = [-1, 0, 0, 0, 1, 0, 0, 0, 2**14] if matrix == "mirrored" else [0, 1, 0, -1, 0, 0, 0, 0, 2**14]
    matrix = [number * 2**16 for number in numbers]
    film = Film(write_video(tmp_path / "a.mp4", noise_scene(2, 16, size=(160, 96)), matrix=matrix, **H264))
    assert film.frames[0].orientation != Orientation()
    prove(film, 8, 16)


def test_the_pixel_aspect_stays(tmp_path):
    options = {**H264, "x264-params": "sar=16/11"}
    film = Film(write_video(tmp_path / "a.ts", noise_scene(2, 16, size=(176, 144)), **options))
    assert film.frames[0].size == (256, 144)
    prove(film, 8, 16)


@pytest.mark.parametrize(("codec", "option"), [("libx265", "x265-params"), ("libx264", "x264-params")])
def test_an_open_gop_brings_no_frame_of_the_one_before(tmp_path, codec, option):
    params = OPEN_GOP if codec == "libx265" else OPEN_GOP.replace(":log-level=none", "")
    film = Film(write_video(tmp_path / "a.mp4", noise_scene(5, 30, shift_px=2.3), codec=codec, **{option: params}))
    _, second, third, *_ = film.keyframes
    with av.open(film.path) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    behind = packets[[packet.pts for packet in packets].index(film.pts[second]) + 1]
    assert behind.pts < film.pts[second], "it must have leading pictures to prove anything"
    assert "open GOP" in film.refused(0, second)
    if codec == "libx265":
        prove(film, second, len(film.frames))
        assert "open GOP" in film.refused(second, third)
    else:
        assert film.refused(second, len(film.frames)) == "its first frame is a keyframe that needs frames before it"


def needs_more(film, first, last):
    """Whether it is refused since reordered frames need one behind the end."""
    try:
        film.copy(first, last)
    except NotCopyable as refusal:
        return "its last frames need a frame behind it" in str(refusal)
    return False


def test_a_span_that_fits_no_gop_is_refused(tmp_path):
    film = Film(write_video(tmp_path / "a.mp4", noise_scene(1, 30), bf="2", **H264))
    assert film.refused(3, 16) == "it starts on no keyframe"
    whole = [last for last in range(9, 17) if not needs_more(film, 8, last)]
    assert whole[-1] == 16 and len(whole) < 8
    for last in whole:
        prove(film, 8, last)
    film.pts[8] += 1
    assert film.refused(8, 16) == "no packet has the time of its first frame"


def test_without_reordering_it_may_end_anywhere(tmp_path):
    film = Film(write_video(tmp_path / "a.mp4", noise_scene(1, 30), bf="0", **H264))
    for last in range(9, 31):
        prove(film, 8, last)


def test_frames_hidden_by_an_edit_list_do_not_come_in(tmp_path):
    whole, path = write_video(tmp_path / "a.mp4", noise_scene(1, 30), bf="2", **H264), tmp_path / "b.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.pts, packet.dts = packet.pts - 12 * 1024, packet.dts - 12 * 1024
                packet.stream = stream
                target.mux(packet)
    film = Film(path)
    assert len(film.frames) == 18 and film.keyframes == [4, 12]
    assert film.refused(0, 4) == "it starts on no keyframe"
    prove(film, 4, 12)


def test_other_frames_than_were_scored_are_refused(tmp_path):
    film = Film(write_video(tmp_path / "a.mp4", noise_scene(1, 30), bf="2", **H264))
    with pytest.raises(NotCopyable, match="8 packets for 7 frames"):
        copy_clip(film.path, *film.span(8, 16), 7)


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "mpeg4"), ("a.mp4", "mpeg4"), ("a.webm", "libvpx")])
def test_other_codecs_are_not_copied(tmp_path, name, codec):
    film = Film(write_video(tmp_path / name, [numbered_frame(k) for k in range(12)], codec=codec, g="6"))
    assert film.refused(0, 6).startswith("the codec ")


def test_files_joined_end_to_end_are_refused_where_time_starts_again(tmp_path):
    one = write_video(tmp_path / "a.ts", noise_scene(1, 24), bf="0", **H264)
    (tmp_path / "b.ts").write_bytes(one.read_bytes() * 2)
    film = Film(tmp_path / "b.ts")
    assert len(film.frames) == 48
    prove(film, 8, 16)
    film.ends[23] = film.pts[24]
    assert film.refused(24, 32) in ("times run backwards", "no packet has the time of its first frame")


def test_a_packet_that_its_container_calls_damaged_is_not_copied(tmp_path):
    path = write_video(tmp_path / "a.ts", noise_scene(1, 24), bf="0", **H264)
    with av.open(str(path)) as container:
        starts = [packet.pos for packet in container.demux() if packet.size]
    data = bytearray(path.read_bytes())
    data[starts[11] + 188 + 1] |= 0x80  # the sign of a transport error, in a packet of the stream behind its start
    path.write_bytes(data)
    film = Film(path)
    assert film.refused(8, 16) == "a packet is damaged"
    prove(film, 16, 24)


def test_where_the_streams_parameters_change_it_is_not_copied(tmp_path):
    one = write_video(tmp_path / "a.flv", noise_scene(1, 16), bf="0", pts=[100 * k for k in range(16)], **H264)
    times = [1600 + 100 * k for k in range(16)]
    two = write_video(tmp_path / "b.flv", noise_scene(2, 16), bf="0", pts=times, crf="40", refs="1", **H264)
    (tmp_path / "c.flv").write_bytes(one.read_bytes() + two.read_bytes()[13:])  # without its header
    film = Film(tmp_path / "c.flv")
    prove(film, 8, 16)
    assert film.refused(8, 24) == "the stream's parameters change, or it is encrypted"


def test_an_encrypted_stream_is_not_copied(tmp_path):
    path, encrypted = write_video(tmp_path / "a.mp4", noise_scene(1, 24), bf="0", **H264), tmp_path / "b.mp4"
    locked = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": f"{1:032x}", "encryption_kid": f"{2:032x}"}
    with av.open(str(path)) as plain, av.open(str(encrypted), "w", options=locked) as container:
        stream = container.add_stream_from_template(plain.streams.video[0])
        for packet in plain.demux():
            if packet.size:
                packet.stream = stream
                container.mux_one(packet)
    film = Film(path)
    with pytest.raises(NotCopyable, match="the stream's parameters change, or it is encrypted"):
        copy_clip(str(encrypted), *film.span(8, 16), 8)


def test_another_frame_of_the_same_time_is_not_taken_for_it(tmp_path):
    options = {"g": "7", "sc_threshold": "0", "bf": "0"}
    one = write_video(tmp_path / "a.ts", noise_scene(1, 24), pts=[100 * k for k in range(24)], **options)
    two = write_video(tmp_path / "b.ts", noise_scene(2, 24), pts=[1000 + 100 * k for k in range(24)], **options)
    (tmp_path / "c.ts").write_bytes(one.read_bytes() + two.read_bytes())
    film = Film(tmp_path / "c.ts")
    film.ends[23] = film.pts[24]
    assert 24 in film.keyframes, "shown when the packet of a later keyframe says that it is"
    assert film.refused(24, 31) == "times run backwards"


def test_where_seeking_goes_too_far_it_reads_from_the_start(tmp_path, monkeypatch):
    film = Film(write_video(tmp_path / "a.mkv", noise_scene(1, 30), bf="2", **H264))
    seek = _PacketReader._seek
    monkeypatch.setattr(_PacketReader, "_seek", lambda reader, start_pts: seek(reader, film.pts[-1]))
    prove(film, 8, 16)


def test_a_stream_without_times_is_refused(tmp_path):
    film = Film(write_video(tmp_path / "a.h264", noise_scene(1, 24), bf="0", **H264))
    assert film.refused(8, 16)


def test_the_file_is_looked_at_and_too_large_frames_are_no_reason_to_encode(tmp_path):
    path = write_video(tmp_path / "a.mp4", noise_scene(1, 8), **H264)
    with pytest.raises(VideoError, match="cannot be opened"):
        copy_clip(str(tmp_path / "gone.mp4"), 0, 10, 1)
    with pytest.raises(VideoError, match="frame too large"):
        copy_clip(str(path), 0, 10, 1, max_pixels=99)


def test_a_seekable_file_is_copied_and_stays_open(tmp_path):
    film = Film(write_video(tmp_path / "a.mp4", noise_scene(1, 30), **H264))
    with open(film.path, "rb") as file:
        assert copy_clip(file, *film.span(8, 16), 8) == film.copy(8, 16)
        cut_clip(file, *film.span(8, 16), EncodeSettings())  # as is done where copying is refused


COPIED = [
    "decord__unordered.mov",
    "media__sample_rotate_and_reflect.mp4",
    "media__edit_list_positive_shift.mp4",
    "media__fragmented_captions.mp4",
    "media__sample_with_chapters.mkv",
    "media__sd-hls0000000000.ts",
    "media__sample_h265.ts",
    "media__hlg10-color-test.mp4",
    "media__bear-vp9-odd-dimensions.webm",
    "media__sample_av1.mp4",
    "mp4parse-rust__h264_white_frame_sar_16_9.mp4",
    "torchcodec__av1_video.mkv",
    "torchcodec__h265_10bits.mp4",
]
ENCODED = {
    "media__iibbibb_editlist_videoonly.mp4": "it starts on no keyframe",
    "media__roadtrip-vp92-10bit.webm": "packets for",  # frames that are not shown have packets of their own
    "PySceneDetect__fades.mp4": "the codec mpeg4",
    "media__sample_vvc.mp4": "the codec vvc",
    "sample-videos__people-detection.gif": "the codec gif",
    "decord__corrupted.mp4": "packets for",
}


@pytest.mark.parametrize("name", COPIED)
def test_real_footage_is_copied_bit_for_bit(media, name):
    film = Film(media / "video" / name)
    keys = [*film.keyframes, len(film.frames)]
    prove(film, keys[0], keys[1])
    prove(film, keys[-2], keys[-1])


@pytest.mark.parametrize("name", ENCODED)
def test_other_real_footage_goes_to_the_encoder(media, name):
    path = media / "video" / name
    with open_video(str(path)) as video:
        pts = [frame.pts for frame in video.frames()]
    with pytest.raises(NotCopyable, match=ENCODED[name]):
        copy_clip(str(path), pts[0], 2 * pts[-1] - pts[-2], len(pts))
