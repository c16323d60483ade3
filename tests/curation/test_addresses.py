"""Curation with footage and corpus at addresses, on a server that speaks S3 over HTTP."""

import shutil
import subprocess
import sys
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from footage import noise_scene, write_video
from upath import UPath

from curation.__main__ import main
from curation.addresses import listed_at, open_source
from curation.config import LimitsConfig
from curation.local_copies import LocalCopies
from curation.pack_worker import cut_listed
from curation.stamp import stamp_of
from curation.tables import Corpus
from shards.encode import EncodeSettings
from shards.places import BLOCK_BYTES, Place, stream
from shards.video import VideoError, open_video

CONFIG = """
engine: local
inputs: {part_max_videos: 2}
split: {min_clip_s: 0.5}
scorers: {motion: {class_path: curation.scorers.motion.Motion}}
sets: {pretrain: {rules: [{column: motion, min: 0}]}}
pack: {samples_per_shard: 2}
"""
PUBLIC = ("inputs", "videos", "clips", "captions", "proxies", "scores", "verdicts", "shards", "stats")
WITHOUT_PATHS = ("clips", "captions", "proxies", "scores", "verdicts")


@pytest.fixture(scope="module")
def footage(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    for number in range(3):
        write_video(folder / f"ä {number}.mp4", noise_scene(number, 20))
    write_video(folder / "z.mkv", noise_scene(7, 15))
    (folder / "copy.mp4").write_bytes((folder / "ä 1.mp4").read_bytes())
    (folder / "broken.mp4").write_bytes(b"no video at all")
    (folder / "z.txt").write_text("a caption beside it")
    return folder


def put(folder: Path, at: UPath) -> UPath:
    """Copies the files of a folder."""
    for path in folder.iterdir():
        (at / path.name).write_bytes(path.read_bytes())
    return at


def curate(tmp_path: Path, videos: object, out: object, *arguments: str) -> int:
    (tmp_path / "config.yaml").write_text(CONFIG)
    named = ["--videos", str(videos), "--out", str(out)]
    return main(["run", "--config", str(tmp_path / "config.yaml"), *named, *arguments])


def files(root: Place, tables: tuple[str, ...] = PUBLIC) -> dict[str, bytes]:
    """Every file of these tables by its name below the corpus."""
    found = [path for table in tables for path in (root / table).rglob("*") if path.is_file()]
    return {str(path)[len(str(root)) + 1 :]: path.read_bytes() for path in found}


def differing(one: dict[str, bytes], two: dict[str, bytes]) -> list[str]:
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))


@pytest.mark.slow
def test_everything_at_addresses_gives_the_bytes_of_a_local_run(footage, bucket, tmp_path):
    videos, local = put(footage, bucket / "films"), tmp_path / "local"
    assert curate(tmp_path, videos, local) == 0
    assert curate(tmp_path, videos, bucket / "out") == 0
    here = files(local)
    assert "shards/pretrain/train/00000.tar" in here and differing(here, files(bucket / "out")) == []
    assert curate(tmp_path, footage, tmp_path / "all local") == 0
    tables = files(tmp_path / "all local", WITHOUT_PATHS)
    assert differing({n: b for n, b in here.items() if n.split("/")[0] in WITHOUT_PATHS}, tables) == []


@pytest.mark.slow
def test_workers_of_ray_reach_both(footage, bucket, tmp_path):
    videos = put(footage, bucket / "films")
    assert curate(tmp_path, videos, bucket / "here", "--job", "split") == 0
    there = ("--engine", "ray", "--workers", "2")
    assert curate(tmp_path, videos, bucket / "there", "--job", "split", *there) == 0
    assert differing(files(bucket / "here"), files(bucket / "there")) == []


@pytest.mark.slow
def test_a_run_killed_there_is_finished_by_the_same_command(footage, bucket, tmp_path):
    videos, out = put(footage, bucket / "films"), bucket / "out"
    assert curate(tmp_path, videos, tmp_path / "whole", "--job", "split") == 0
    arguments = [
        "--config",
        str(tmp_path / "config.yaml"),
        "--videos",
        str(videos),
        "--out",
        str(out),
        "--job",
        "split",
    ]
    command = [sys.executable, "-m", "curation", "run", *arguments]
    with subprocess.Popen(command) as run:
        while not (out / "videos/part-00000.parquet").exists():
            assert run.poll() is None
            time.sleep(0.05)
        run.kill()
    assert (out / ".lock").exists(), "it was killed at work"
    assert subprocess.run(command).returncode == 0
    assert differing(files(tmp_path / "whole"), files(out)) == []


def test_a_second_run_hashes_nothing_and_does_nothing(footage, bucket, tmp_path, capsys, monkeypatch):
    videos = put(footage, bucket / "films")
    split = ("--job", "split")
    assert curate(tmp_path, videos, bucket / "out", *split) == 0
    before = files(bucket / "out")
    monkeypatch.setattr("curation.corpus.video_id", lambda path: pytest.fail(f"{path} is read again"))
    assert curate(tmp_path, videos, bucket / "out", *split) == 0
    assert "0 of them new" in capsys.readouterr().out and differing(before, files(bucket / "out")) == []
    assert main(["run", "--out", str(bucket / "out"), "--job", "stats"]) == 0, "the corpus knows its configuration"
    assert not (bucket / "out/.lock").exists() and len(list((bucket / "out/journal/parts").iterdir())) == 3


def test_what_a_killed_run_left_is_finished_to_the_same_bytes(footage, bucket, tmp_path):
    videos = put(footage, bucket / "films")
    split = ("--job", "split")
    assert curate(tmp_path, videos, bucket / "out", *split) == 0
    before = files(bucket / "out")
    for lost in ("videos/part-00001.parquet", "clips/part-00001.parquet", "inputs/part-00002.parquet"):
        (bucket / "out" / lost).unlink()
    assert curate(tmp_path, videos, bucket / "out", *split) == 0
    assert differing(before, files(bucket / "out")) == []


def test_forced_tables_are_moved_aside_there(footage, bucket, tmp_path, capsys):
    videos = put(footage, bucket / "films")
    split = ("--job", "split")
    assert curate(tmp_path, videos, bucket / "out", *split) == 0
    before = files(bucket / "out")
    assert curate(tmp_path, videos, bucket / "out", *split, "--split.min_clip_s", "0.6") == 1
    assert "min_clip_s was 0.5, is 0.6" in capsys.readouterr().err
    assert curate(tmp_path, videos, bucket / "out", *split, "--force", "split") == 0
    assert differing(before, files(bucket / "out")) == []
    (aside,) = (bucket / "out/aside").iterdir()
    assert files(aside, ("clips", "inputs")) == {n: b for n, b in before.items() if n.startswith(("clips", "inputs"))}


def test_a_video_that_was_blocked_is_split_there_later(footage, bucket, tmp_path):
    split = ("--job", "split")
    assert curate(tmp_path, footage, tmp_path / "whole", *split) == 0
    (bucket / "block.txt").write_text(f"{footage}/z.mkv\n")
    assert curate(tmp_path, footage, bucket / "out", *split, "--block_list", f"{bucket}/block.txt") == 0
    assert differing(files(tmp_path / "whole"), files(bucket / "out")) != []
    (bucket / "block.txt").write_text("")
    assert (
        curate(tmp_path, footage, bucket / "out", *split, "--block_list", f"{bucket}/block.txt", "--retry", "blocked")
        == 0
    )
    assert differing(files(tmp_path / "whole"), files(bucket / "out")) == []


def test_objects_that_are_gone_or_others_cost_those_videos_alone(footage, bucket, tmp_path, caplog):
    videos, out = put(footage, bucket / "films"), tmp_path / "out"
    assert curate(tmp_path, videos, out, "--job", "split") == 0
    for table in ("videos", "clips", "captions"):
        shutil.rmtree(out / table)
    (videos / "ä 2.mp4").write_bytes(b"other")
    (videos / "z.mkv").unlink()
    assert curate(tmp_path, videos, out, "--job", "split") == 0
    assert "1 files have changed since they were listed" in caplog.text
    failed = {
        Path(row["path"]).name: row["error"] for row in Corpus(out).read_all("videos").to_pylist() if row["error"]
    }
    assert failed.pop("broken.mp4").startswith("cannot be opened")
    assert failed == {"ä 2.mp4": "changed since it was listed", "z.mkv": "gone since it was listed"}


@pytest.mark.parametrize(
    ("videos", "words"),
    [
        ("s3://no-such-bucket/films", "there is no bucket no-such-bucket"),
        ("s3://no-such-bucket/*.mp4", "there is no bucket no-such-bucket"),
        ("{bucket}/nothing", "no video file there"),
        ("{bucket}/*.avi", "no video file there"),
        ("{bucket}/t.csv", "there is no bucket no-such-bucket"),
        ("nothing://films", "Unsupported filesystem"),
    ],
)
def test_wrong_addresses_are_told_in_one_line(bucket, tmp_path, capsys, videos, words):
    (bucket / "t.csv").write_text("path\ns3://no-such-bucket/a.mp4\n")
    assert curate(tmp_path, videos.format(bucket=bucket), tmp_path / "out", "--job", "split") == 1
    errors = capsys.readouterr().err
    assert words in errors and "Traceback" not in errors and not (tmp_path / "out/inputs").exists()


def test_without_credentials_or_network_no_video_is_blamed(footage, bucket, tmp_path, capsys, monkeypatch):
    import s3fs

    films = put(footage, bucket / "films")
    assert curate(tmp_path, films, tmp_path / "out", "--job", "split") == 0
    whole = files(tmp_path / "out")
    for part in (tmp_path / "out/videos").iterdir():
        part.unlink()
    for name, value, words in [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "cannot be reached"),
        ("AWS_ACCESS_KEY_ID", None, "no credentials were found"),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(s3fs.S3FileSystem, "retries", 1)
            s3fs.S3FileSystem.clear_instance_cache()
            patch.setenv(name, value) if value else patch.delenv(name)
            patch.setenv("HOME", str(tmp_path))
            patch.setenv("AWS_MAX_ATTEMPTS", "1")
            assert main(["run", "--config", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "out")]) == 1
            assert words in capsys.readouterr().err
        s3fs.S3FileSystem.clear_instance_cache()
    assert not list((tmp_path / "out/videos").glob("*.parquet"))
    assert curate(tmp_path, films, tmp_path / "out", "--job", "split") == 0
    assert differing(files(tmp_path / "out"), whole) == []


def test_a_listing_tells_what_a_look_at_each_file_tells(footage, bucket):
    listed = listed_at(put(footage, bucket))
    assert len(listed) == 7 and listed == {path: stamp_of(path) for path in listed}
    size, mtime, etag = listed[f"{bucket}/z.mkv"]
    assert size == (footage / "z.mkv").stat().st_size and mtime is None and etag


def test_a_file_that_is_not_there_fails_as_a_local_one(bucket):
    with pytest.raises(VideoError, match="cannot be opened: No such file"), open_source(f"{bucket}/a.mp4", 1):
        pass


@pytest.fixture
def without_ranges(tmp_path):
    """A server that sends files whole or not at all: the address of a large video there, and its bytes."""
    path = write_video(tmp_path / "a.mp4", noise_scene(1, 60, size=(1280, 720)), crf="0")
    assert path.stat().st_size > 2**21, "else it is one block"

    class Whole(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Whole)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/a.mp4", path.stat().st_size
    server.shutdown()


def test_a_server_without_ranges_is_read_from_a_bounded_copy(without_ranges):
    address, size = without_ranges
    with open_source(address, size) as source, open_video(source) as video:
        assert sum(1 for _ in video.frames()) == 60
    with pytest.raises(VideoError, match=f"more than {size - 1} bytes"), open_source(address, size - 1):
        pass


def test_clips_of_one_video_are_cut_from_one_copy(without_ranges, monkeypatch):
    address, size = without_ranges
    fetched = []
    monkeypatch.setattr("curation.local_copies.stream", lambda where: fetched.append(str(where)) or stream(where))
    monkeypatch.setattr("curation.addresses._copies", LocalCopies())
    settings, limits = EncodeSettings(preset="ultrafast", short_side_px=64), LimitsConfig(max_copy_bytes=size)
    with open_source(address, size) as source, open_video(source) as video:
        pts = [frame.pts for frame in video.frames()]
    for first in (0, 20, 40):
        assert cut_listed(address, pts[first], pts[first + 10], settings, limits).num_frames == 10
    assert fetched == [address] * 2, "once to look at it, and that copy was not kept; once for all clips"


def test_trouble_while_reading_is_not_the_videos(bucket, tmp_path, monkeypatch):
    from shards.places import AddressedFile

    path = write_video(tmp_path / "a.mp4", noise_scene(1, 40, size=(1280, 720)), crf="0")
    (bucket / "a.mp4").write_bytes(path.read_bytes())
    with (
        pytest.raises(OSError, match="the network is gone"),
        open_source(f"{bucket}/a.mp4", 1) as source,
        open_video(source) as video,
    ):

        def fail(*_: object) -> bytes:
            raise OSError(5, "the network is gone")

        monkeypatch.setattr(AddressedFile, "read", fail)
        list(video.frames())


def test_little_more_than_a_file_is_fetched_to_decode_it(bucket, tmp_path, monkeypatch):
    import s3fs

    noise = np.random.default_rng(0).integers(0, 256, (24, 360, 640, 3), np.uint8)
    path = write_video(tmp_path / "a.mp4", list(noise), crf="0")
    size = path.stat().st_size
    assert size > 4 * BLOCK_BYTES, "else the blocks say little"
    (bucket / "a.mp4").write_bytes(path.read_bytes())
    fetched, fetch = [], s3fs.S3File._fetch_range

    def counted(self: s3fs.S3File, start: int, end: int) -> bytes:
        data = fetch(self, start, end) or b""
        fetched.append(len(data))
        return data

    monkeypatch.setattr(s3fs.S3File, "_fetch_range", counted)
    with open_source(f"{bucket}/a.mp4", 1) as source, open_video(source) as video:
        assert sum(1 for _ in video.frames()) == 24
    assert size <= sum(fetched) <= size + BLOCK_BYTES
