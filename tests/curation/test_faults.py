"""What a poisonous video can do: it costs that video alone, with its reason, in one process and on Ray."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from faulty import ENDS, Faulty
from footage import noise_scene, numbered_frame, write_video

from curation.config import InputsConfig, LimitsConfig, SplitConfig
from curation.corpus import update_inputs
from curation.engine import Engine, stop_ray
from curation.listing import list_videos
from curation.split import SplitTask
from curation.tables import Corpus
from curation.unique import unique_videos
from shards.video import VideoError, open_video

# One attempt, since a reader that starts anew takes seconds; that there are two, `test_child` and `test_split` show.
LIMITS = LimitsConfig(silence_s=10.0, memory_bytes=700 * 2**20, attempts=1)


@pytest.fixture(scope="module")
def footage(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    for number in range(4):
        write_video(folder / f"good {number}.mp4", noise_scene(number, 14))
    for fps in ENDS:
        write_video(folder / f"{fps}.mp4", noise_scene(fps, 12), fps=fps)
    return folder


def split(footage: Path, out: Path, kind="local") -> Corpus:
    corpus = Corpus(out)
    update_inputs(corpus, list_videos(str(footage)), InputsConfig(part_max_videos=5))
    task = SplitTask(corpus, SplitConfig(splitter=Faulty(), limits=LIMITS), unique_videos(corpus).copies)
    Engine(kind, 2, out / "journal").run("split", task, corpus.parts("inputs"), lambda part, counts: None)
    return corpus


def rows(corpus: Corpus, table: str) -> list[dict]:
    return corpus.read_all(table).to_pylist()


@pytest.fixture(scope="module")
def ray():
    yield
    stop_ray()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["local", "ray"])
def test_a_fault_costs_one_video_with_its_reason_and_nothing_else(footage, tmp_path, kind, ray):
    shutil.copytree(footage, tmp_path / "in")
    corpus = split(tmp_path / "in", tmp_path / "out", kind)
    videos = {Path(row["path"]).stem: row for row in rows(corpus, "videos")}
    assert {int(name): (videos[name]["status"], videos[name]["error"]) for name in videos if name.isdigit()} == ENDS
    for fps in ENDS:
        (tmp_path / "in" / f"{fps}.mp4").unlink()
    alone = split(tmp_path / "in", tmp_path / "alone")
    assert {row["video_id"] for row in rows(alone, "videos")} == {
        row["video_id"] for row in videos.values() if row["status"] == "ok"
    }
    ids = pa.array([row["video_id"] for row in rows(alone, "videos")])
    assert len(ids) == 4
    for table in ("videos", "clips", "proxies"):
        mine = [row for row in rows(corpus, table) if row["video_id"] in ids.to_pylist()]
        assert mine == rows(alone, table), table


def test_a_fault_in_every_video_of_a_part_is_theirs_when_each_dies_its_own_death(footage, tmp_path):
    (tmp_path / "in").mkdir()
    for fps in (11, 12, 15, 16):
        shutil.copy(footage / f"{fps}.mp4", tmp_path / "in")
    corpus = split(tmp_path / "in", tmp_path / "out")
    assert sorted(row["status"] for row in rows(corpus, "videos")) == ["failed"] + ["quarantined"] * 3


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n"
DASH = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S">
<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL>
</Representation></AdaptationSet></Period></MPD>
"""
PLAYLISTS = {
    "hls": HLS,
    "hls of an address": HLS.replace("{target}", "http://127.0.0.1:9/a.mp4"),
    "hls of a file address": HLS.replace("{target}", "file://{target}"),
    "hls of a part of a file": HLS.replace("{target}", "subfile,,start,0,end,0,,:{target}"),
    "hls with a key elsewhere": HLS.replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF'),
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "concat of an address": "ffconcat version 1.0\nfile 'http://127.0.0.1:9/a.mp4'\n",
    "dash": DASH,
    "session description": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("name", ["a.mp4", "a.m3u8", "a.mkv", "a.sdp"])
def test_a_playlist_under_any_name_opens_nothing_else(tmp_path, kind, name):
    target = write_video(tmp_path / "target.mp4", [numbered_frame(k) for k in range(5)])
    (tmp_path / name).write_text(PLAYLISTS[kind].replace("{target}", str(target)))
    with pytest.raises(VideoError, match="cannot be opened"), open_video(str(tmp_path / name)):
        pass


@pytest.mark.parametrize(
    "protocol", ["subfile,,start,0,end,0,,:", "file:", "http://127.0.0.1:9", "concat:", "crypto:", "data:,", "pipe:"]
)
def test_a_name_that_libav_would_take_for_a_protocol_is_only_a_name(tmp_path, protocol, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = write_video(tmp_path / "target.mp4", [numbered_frame(k) for k in range(5)])
    with pytest.raises(VideoError, match="cannot be opened"), open_video(f"{protocol}{target}"):
        pass


def test_an_image_bomb_is_refused_before_it_takes_memory(tmp_path):
    import resource

    bomb = b"YUV4MPEG2 W65535 H65535 F10:1 Ip A1:1 C420\nFRAME\n" + bytes(1000)
    (tmp_path / "bomb.y4m").write_bytes(bomb)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(VideoError), open_video(str(tmp_path / "bomb.y4m")) as video:
        list(video.frames())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kB"


@pytest.mark.parametrize("limit", [{"max_frames": 10}, {"max_decoded_bytes": 160 * 120 * 3 // 2 * 10}])
def test_a_video_that_passes_a_limit_fails_in_words(tmp_path, limit):
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "a.mp4", noise_scene(1, 11))
    write_video(tmp_path / "in" / "b.mp4", noise_scene(2, 10))
    corpus = Corpus(tmp_path / "out")
    update_inputs(corpus, list_videos(str(tmp_path / "in")), InputsConfig())
    worker = SplitTask(corpus, SplitConfig(limits=LimitsConfig(**limit)), {}).build()
    counts = worker.run("part-00000")
    worker.close()
    errors = {Path(row["path"]).name: row["error"] for row in rows(corpus, "videos")}
    assert errors["b.mp4"] is None and counts["failed"] == counts["ok"] == 1
    assert errors["a.mp4"].startswith("too many frames" if "max_frames" in limit else "too much to decode")
