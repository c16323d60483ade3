import struct
import subprocess
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import av
import pytest
from footage import number_of, numbered_frame, write_video

from shards.video import VideoError, open_video

SIDE = 16000


def png_of(side: int) -> bytes:
    """A black grey picture, side * side bytes once decoded."""
    packer, line = zlib.compressobj(1), bytes(side + 1)
    packed = b"".join(packer.compress(line) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")]
    framed = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def write_bomb(path: Path) -> Path:
    """Two pictures of 256 million pixels in a file whose header says 64x64."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt, stream.time_base = "gray", Fraction(1, 10)
        for number in range(2):
            packet = av.Packet(png_of(SIDE))
            packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, number, number, True
            packet.time_base = Fraction(1, 10)
            container.mux(packet)
    return path


MEASURE = """
import re, sys
from shards.video import VideoError, open_video
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before, frames = peak(), 0
try:
    with open_video(sys.argv[1], max_pixels=int(sys.argv[2])) as video:
        frames = sum(1 for _ in video.frames())
except VideoError as error:
    print(error, file=sys.stderr)
print(frames, (peak() - before) // 1024)
"""


def frames_and_peak_mb(path: Path, max_pixels: int) -> tuple[int, int]:
    """Frames read, and by how much the peak of a process's memory grew for it."""
    said = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path), str(max_pixels)], capture_output=True, text=True, check=True
    ).stdout
    frames, grown = said.split()
    return int(frames), int(grown)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's memory as Linux tells it")
def test_a_picture_too_large_takes_no_memory_whatever_the_header_says(tmp_path):
    bomb = write_bomb(tmp_path / "bomb.mov")
    assert bomb.stat().st_size < 4_000_000
    frames, grown = frames_and_peak_mb(bomb, 8192 * 8192)
    assert frames == 0 and grown < 60
    frames, grown = frames_and_peak_mb(bomb, SIDE * SIDE)
    assert frames == 2 and grown > 200, "without the limit it explodes"


def test_a_frame_too_large_is_told_even_where_libav_hides_its_size(tmp_path):
    path = write_video(tmp_path / "a.mkv", [numbered_frame(0, (512, 512))] * 2, codec="ffv1")
    told = "no frame could be decoded: of unknown size, or one far too large"
    with pytest.raises(VideoError, match=told), open_video(str(path), max_pixels=9999) as video:
        list(video.frames())


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's memory as Linux tells it")
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.h264"])
def test_probing_takes_no_memory_for_a_frame_too_large(tmp_path, name):
    path = write_video(tmp_path / name, [numbered_frame(0, (4096, 4096))], preset="ultrafast")
    frames, grown = frames_and_peak_mb(path, 1000 * 1000)
    assert frames == 0 and grown < 20
    frames, grown = frames_and_peak_mb(path, 4096 * 4096)
    assert frames == 1 and grown > 30


def playlists(target: str) -> dict[str, str]:
    """Files of many formats that would have another file read."""
    mpd = f'<Representation id="0" bandwidth="9"><BaseURL>{target}</BaseURL></Representation>'
    return {
        "hls.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n",
        "hls.ts": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:{target}\n#EXT-X-ENDLIST\n",
        "concat.mp4": f"ffconcat version 1.0\nfile '{target}'\n",
        "dash.mp4": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
        f'<AdaptationSet mimeType="video/mp4">{mpd}</AdaptationSet></Period></MPD>',
        "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        "smooth.mp4": f'<SmoothStreamingMedia><Clip Url="{target}"/></SmoothStreamingMedia>',
    }


@pytest.mark.parametrize("name", playlists(""))
@pytest.mark.parametrize("in_memory", [False, True])
def test_a_playlist_has_no_other_file_read(tmp_path, name, in_memory):
    target = write_video(tmp_path / "target.mp4", [numbered_frame(k) for k in range(5)])
    path = tmp_path / name
    path.write_text(playlists(str(target))[name])
    source = path.read_bytes() if in_memory else str(path)
    with pytest.raises(VideoError, match="cannot be opened"), open_video(source):
        pass


@pytest.mark.parametrize("form", ["file:{}", "subfile,,start,0,end,9999,,:{}", "concat:{}|{}", "cache:{}", "async:{}"])
def test_a_path_is_a_path_and_no_address(tmp_path, form):
    target = write_video(tmp_path / "target.mp4", [numbered_frame(k) for k in range(5)])
    with pytest.raises(VideoError, match="cannot be opened: No such file"), open_video(form.format(target, target)):
        pass
    for address in ("http://127.0.0.1:9/a.mp4", "pipe:0", "-"):
        with pytest.raises(VideoError, match="cannot be opened: No such file"), open_video(address):
            pass


@pytest.mark.parametrize("name", ["", "a\0b", "n" * 999, "../" * 2000])
def test_a_path_that_names_no_file_is_told(tmp_path, name):
    with pytest.raises(VideoError, match="cannot be opened"), open_video(f"{tmp_path}/{name}"):
        pass


def refer_to(mp4: bytes, target: str) -> bytes:
    """An mp4 with its index at the end whose track says that its pictures lie in another file."""
    name = target.encode()
    alias = bytes(10) + b"\x01v" + bytes(26) + bytes(12) + b"\x01f" + bytes(62) + bytes(16) + bytes(4) + bytes(16)
    alias += struct.pack(">hH", 2, len(name)) + name + bytes(len(name) % 2) + struct.pack(">hH", -1, 0) + bytes(60)
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    at = mp4.index(b"url \0\0\0\1") - 4
    data = mp4[:at] + entry + mp4[at + 12 :]
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        head = data.index(kind, data.index(b"moov") if kind != b"moov" else 0) - 4
        (size,) = struct.unpack(">I", data[head : head + 4])
        data = data[:head] + struct.pack(">I", size + len(entry) - 12) + data[head + 4 :]
    return data


def test_a_track_that_lies_in_another_file_is_not_read_from_there(tmp_path):
    own = write_video(tmp_path / "own.mp4", [numbered_frame(3)] * 5)
    other = write_video(tmp_path / "other.mp4", [numbered_frame(9)] * 5)
    path = tmp_path / "foreign.mp4"
    path.write_bytes(refer_to(own.read_bytes(), str(other)))
    with av.open(str(path), options={"enable_drefs": "1", "use_absolute_path": "1"}) as container:
        assert number_of(next(container.decode(video=0)).to_ndarray(format="rgb24")) == 9, "libav would, if it were let"
    with open_video(str(path)) as video:
        assert list(video.frames()) == []


def test_what_libav_asks_for_beside_the_file_is_refused():
    from shards.source import _refuse

    with pytest.raises(VideoError, match="refers to another file"):
        _refuse("/nowhere/at/all.mp4", 1, {})


def test_a_seek_to_nowhere_is_the_files_fault_and_not_the_disks(tmp_path):
    from shards.source import Source

    path = write_video(tmp_path / "a.mp4", [numbered_frame(0)] * 2)
    source = Source(str(path))
    assert source.seek(-5) < 0 and source.seek(2**62) < 0 and source.seek(2**70) < 0
    source.raise_trouble()
    source.close()
