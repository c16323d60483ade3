"""Real footage of many codecs, turned and with pixels that are not square: packed, checked, and read by all readers."""

import io
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from demo_corpus import read

from curation.__main__ import main as curate
from shards.__main__ import main as shards_main
from shards.loader import Loader
from shards.order import Order
from shards.reader import ShardSet
from shards.video import open_video

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CONFIG = """
split:
  {{min_clip_s: 0.03, max_clip_s: 6, trim_s: 0, snap: {snap}, splitter: {{class_path: curation.splitters.whole.Whole}}}}
sets: {{all: {{rules: []}}}}
pack: {{mode: {mode}, audio: copy, motion_column: null, val_share: 0.3, samples_per_shard: 4, preset: ultrafast}}
"""
COPY = "copy"
FOOTAGE = {
    "interactive-examples__flower.mp4": ((960, 540), "h264", "aac", COPY),
    "interactive-examples__flower.webm": (
        (960, 540),
        "vp8",
        "dropped: mp4 cannot hold vorbis",
        "encode: the codec vp8 is not copied",
    ),
    "media__sample.avi": ((960, 400), "mpeg4", "mp3", "encode: the codec mpeg4 is not copied"),
    "media__sample_av1.mp4": ((1080, 720), "av1", "aac", COPY),
    "media__bear-vp9.webm": ((320, 240), "vp9", "none", COPY),
    "media__roadtrip-vp92-10bit.webm": ((426, 240), "vp9", "none", "encode: 80 packets for 72 frames"),
    "torchcodec__h265_10bits.mp4": ((200, 200), "hevc", "none", COPY),
    "media__sd-hls0000000000.ts": ((640, 360), "h264", "aac", COPY),
    "decord__video_90.mov": ((320, 568), "h264", "none", COPY),
    "decord__video_180.mov": ((568, 320), "h264", "none", COPY),
    "media__sample_rotate_and_reflect.mp4": ((720, 1080), "h264", "aac", COPY),
    "mp4parse-rust__h264_white_frame_sar_16_9.mp4": ((1138, 480), "h264", "none", COPY),
}
"""Width and height as displayed, codec, what becomes of the sound, and how it is made where copies are asked for."""


@pytest.fixture(scope="module", params=["copy", "encode"])
def packed(request, media, tmp_path_factory):
    """The mode, and the packed set."""
    root = tmp_path_factory.mktemp(request.param)
    snap = "keyframe" if request.param == "copy" else "exact"
    (root / "config.yaml").write_text(CONFIG.format(mode=request.param, snap=snap))
    (root / "footage").mkdir()
    for name in FOOTAGE:
        (root / "footage" / name).symlink_to(media / "video" / name)
    arguments = ["--config", str(root / "config.yaml"), "--videos", str(root / "footage"), "--out", str(root / "out")]
    assert curate(["run", *arguments, "--engine", "local"]) == 0
    assert {row["status"] for row in read(root / "out", "videos")} == {"ok"}
    return request.param, root / "out/shards/all"


def splits(folder: Path) -> list[ShardSet]:
    return [ShardSet(folder / split) for split in ("train", "val")]


def samples(folder: Path) -> list:
    return [shards.read(i) for shards in splits(folder) for i in range(len(shards))]


def test_sizes_sound_and_way_are_those_of_the_files(packed):
    mode, folder = packed
    found = samples(folder)
    assert {Path(sample.meta["path"]).name for sample in found} == set(FOOTAGE)
    for sample in found:
        meta = sample.meta
        size, codec, audio, way = FOOTAGE[Path(meta["path"]).name]
        assert (meta["width"], meta["height"]) == size and meta["audio"] == audio
        assert meta["made_by"] == (way if mode == "copy" else "encode")
        with av.open(io.BytesIO(sample.content)) as container:
            codecs = [stream.codec_context.codec.canonical_name for stream in container.streams]
        pictures = codec if meta["made_by"] == COPY else "h264"
        assert codecs == [pictures, *([audio] if audio in ("aac", "mp3") else [])]


def test_frames_are_those_of_the_source(packed):
    _, folder = packed
    for sample in samples(folder):
        meta = sample.meta
        with open_video(meta["path"]) as source, open_video(sample.content) as video:
            before = [frame.rgb(*frame.size) for frame in source.frames(meta["start_pts"], meta["end_pts"])]
            after = [frame.rgb(*frame.size) for frame in video.frames()]
        assert len(before) == len(after) == meta["num_frames"]
        differences = [np.abs(np.subtract(a, b, dtype=np.int16)).mean() for a, b in zip(before, after, strict=True)]
        assert max(differences) <= (0 if meta["made_by"] == COPY else 6), meta["path"]


def test_it_is_well_and_described(packed, capsys):
    _, folder = packed
    assert shards_main(["verify", str(folder), "--decode", "all"]) == 0
    assert f"is well: {len(samples(folder))} samples" in capsys.readouterr().out
    assert shards_main(["describe", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "dropped: mp4 cannot hold vorbis" in said and "320x568" in said and "1138x480" in said


def test_every_reader_gives_each_sample_once(packed):
    import webdataset

    _, folder = packed
    for shards in splits(folder):
        whole = {key: shards.read(i) for i, key in enumerate(shards.keys)}
        order = Order(shards.shard_sizes, np.zeros(len(shards), np.int8), [1], seed=0)
        batches = islice(Loader([(shards, order)], workers=2).batches(), len(shards))
        ours = [sample for batch in batches for sample in batch.samples]
        assert sorted(sample.key for sample in ours) == sorted(whole) and all(whole[s.key] == s for s in ours)
        urls = [str(path) for path in sorted(shards.folder.glob("*.tar"))]
        plain = list(webdataset.WebDataset(urls, shardshuffle=False).decode())
        assert [sample["__key__"] for sample in plain] == list(whole)
        for sample in plain:
            assert sample["json"] == whole[sample["__key__"]].meta and sample["mp4"] == whole[sample["__key__"]].content
