"""Buckets of frames, size and rate: which clip goes where, and shards of one bucket each."""

import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from footage import write_video
from handmade import put_dedup, put_scores
from test_pack import CONFIG, Made

from curation import accounts
from curation.config import Bucket, CurateConfig, PackConfig
from curation.pack_buckets import Footage, choose
from curation.scorers.frame import Frame
from curation.tables import Corpus, part_name
from shards.reader import ShardSet
from shards.schema import CLIPS
from shards.store import read_json
from shards.verify import verify
from shards.video import open_video

WIDE, LONG, TALL = Bucket(8, 64, 48, 10), Bucket(12, 64, 48, 10), Bucket(4, 48, 64, 5)


@pytest.mark.parametrize(
    ("clip", "bucket"),
    [
        (Footage(12, 1.2, 64, 48), LONG),
        (Footage(11, 1.1, 64, 48), WIDE),
        (Footage(8, 0.8, 80, 48), WIDE),  # a fifth is cut off
        (Footage(36, 1.2, 640, 480), LONG),
        (Footage(24, 0.8, 48, 64), TALL),
        (Footage(30, 1.2 * 1.001 * 30 / 36, 64, 48), WIDE),
    ],
)
def test_the_largest_bucket_that_fits(clip, bucket):
    assert choose([TALL, WIDE, LONG], clip, 0.2) == (bucket, None)


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        (Footage(7, 0.7, 64, 48), "too short"),
        (Footage(8, 1.0, 64, 48), "too few frames a second"),
        (Footage(10, 1.0, 62, 48), "too small"),
        (Footage(10, 1.0, 64, 46), "too small"),
        (Footage(10, 1.0, 82, 48), "of another aspect"),
        (Footage(10, 1.0, 64, 62), "of another aspect"),
    ],
)
def test_why_none_fits(clip, reason):
    bucket, told = choose([WIDE], clip, 0.2)
    assert bucket is None and told == f"fits no bucket ({reason}): {clip}"


def test_reasons_of_several_buckets_are_told_together():
    _, told = choose([WIDE, TALL], Footage(7, 0.7, 64, 48), 0.2)
    assert told == "fits no bucket (too short, too small): 7 frames at 10 a second, 64x48 px"


def test_equal_buckets_go_by_their_order_and_film_fits_24():
    pair = [Bucket(8, 96, 64, 10), Bucket(8, 64, 96, 10)]
    for buckets in (pair, pair[::-1]):
        assert choose(buckets, Footage(8, 0.8, 96, 96), 0.4)[0] == buckets[0]
    assert choose([Bucket(24, 64, 48, 24)], Footage(24, 24 * 1.001 / 24, 64, 48), 0.2)[0]
    assert str(Bucket(16, 576, 320, 8)) == "16x320x576@8" and str(Bucket(1, 64, 64, 7.5)) == "1x64x64@7.5"


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"buckets": []}, r"pack\.buckets"),
        ({"buckets": [WIDE, WIDE]}, r"pack\.buckets: .* twice"),
        ({"buckets": [WIDE], "fps": 5.0}, r"pack\.fps: is told by pack\.buckets"),
        ({"buckets": [WIDE], "short_side_px": 64}, r"pack\.short_side_px"),
        ({"bucket_max_crop": 1.0}, r"pack\.bucket_max_crop"),
    ],
)
def test_what_does_not_go_together_is_named(settings, key):
    with pytest.raises(ValueError, match=key):
        PackConfig(**settings)


@pytest.mark.parametrize("wrong", [(0, 64, 48, 8), (8, 63, 48, 8), (8, 64, 0, 8), (8, 64, 48, 0)])
def test_a_bucket_that_is_none(wrong):
    with pytest.raises(ValueError, match=r"pack\.buckets"):
        Bucket(*wrong)


def gradient(size, k):
    """Red grows to the right, green downwards, blue with time."""
    width, height = size
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(0, 255, width)
    picture[..., 1] = np.linspace(0, 255, height)[:, None]
    picture[..., 2] = 8 * k
    return picture


class Mixed(Made):
    """Every second film stands upright, 64x96 pixels, beside those of 96x64; clips have 5, 8 and 12 frames."""

    def add(self, number):
        size = (64, 96) if number % 2 else (96, 64)
        if not (path := self.films / f"{number}.mp4").exists():
            write_video(path, [gradient(size, k) for k in range(25)], g="9", bf="2")
        super().add(number)
        for row in self.rows[number]:
            row |= {"width": size[0], "height": size[1]}
        self.corpus.write("clips", part_name(number), pa.Table.from_pylist(self.rows[number], schema=CLIPS), CLIPS)


BUCKETS = [Bucket(8, 80, 64, 10), Bucket(6, 48, 64, 5)]
"""The first for wide clips, cut off at the sides; the second for upright ones, scaled and cut, of 12 frames alone."""
PACKED = replace(CONFIG, pack=replace(CONFIG.pack, buckets=BUCKETS, samples_per_shard=3))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Six films, packed into buckets."""
    made = Mixed(tmp_path_factory.mktemp("mixed") / "out", tmp_path_factory.mktemp("films"), 6)
    made.pack(PACKED)
    return made


def all_samples(made):
    return {sample.key: sample for split in ("train", "val") for sample in made.samples(split)}


def test_each_clip_is_in_its_bucket_and_each_shard_of_one(mixed):
    packed = all_samples(mixed)
    for number, rows in mixed.rows.items():
        found = [packed[row["clip_id"]].meta["bucket"] if row["clip_id"] in packed else None for row in rows]
        assert found == ([None, None, "6x64x48@5"] if number % 2 else [None, "8x64x80@10", "8x64x80@10"])
    for split in ("train", "val"):
        names = [shard["name"] for shard in ShardSet(mixed.folder / split).manifest["shards"]]
        assert names == [f"{k:05d}" for k in range(len(names))]
        for name in names:
            index = pq.ParquetFile(mixed.folder / split / f"{name}.parquet").read()
            assert len(set(index["bucket"].to_pylist())) == 1 and len(index) <= 3
    assert [checked for checked in verify(mixed.folder, "all") if checked.problem] == []


def test_clips_that_fit_no_bucket_are_listed_and_counted(mixed):
    failures = mixed.failures()
    assert len(failures) == 9 and set(failures) == set(mixed.ids) - set(all_samples(mixed))
    wide, upright = (mixed.rows[number][0]["clip_id"] for number in (0, 1))
    assert failures[wide] == "fits no bucket (too short): 5 frames at 10 a second, 96x64 px"
    assert failures[upright] == "fits no bucket (too short): 5 frames at 10 a second, 64x96 px"
    manifest = read_json(mixed.folder / "manifest.json")
    assert (manifest["kept"], manifest["failed"]) == (18, 9)
    told = accounts.count(mixed.corpus, [], ["hq"])[-1]
    assert told.holds and sum(told.parts[2].reasons.values()) == 9
    before = mixed.files()
    assert mixed.pack(PACKED) == {} and mixed.files() == before


def test_clips_are_scaled_and_cut_to_the_size_and_rate_of_their_bucket(mixed):
    for sample in all_samples(mixed).values():
        bucket = BUCKETS[sample.meta["bucket"] == str(BUCKETS[1])]
        meta = sample.meta
        assert (meta["width"], meta["height"], meta["fps"]) == (bucket.width, bucket.height, bucket.fps)
        assert meta["num_frames"] >= bucket.frames
        with open_video(sample.content) as video:
            frames = [frame.rgb(*frame.size).astype(float) for frame in video.frames()]
        assert len(frames) == meta["num_frames"]
        source = (64, 96) if bucket is BUCKETS[1] else (96, 64)
        scale = max(bucket.width / source[0], bucket.height / source[1])
        shares = [side / (scale * whole) for side, whole in zip((bucket.width, bucket.height), source, strict=True)]
        for channel, (share, axis) in enumerate(zip(shares, (0, 1), strict=True)):
            line = frames[0][..., channel].mean(axis)
            ends = 255 * (0.5 + np.array([-share, share]) / 2)
            assert np.abs(line[[1, -2]] - ends).max() < 9, "the middle of the picture"
        blue = [frame[..., 2].mean() for frame in frames]
        step = 80 / bucket.fps  # ten frames a second, each 8 brighter
        assert np.abs(np.diff(blue) - step).max() < 4


def test_a_later_generation_keeps_shards_of_one_bucket(mixed, tmp_path):
    made = object.__new__(Mixed)
    shutil.copytree(mixed.corpus.root, tmp_path / "out")
    made.__dict__ = mixed.__dict__ | {"corpus": Corpus(tmp_path / "out"), "rows": dict(mixed.rows)}
    made.add(6)
    made.add(7)
    made.judge({})
    assert {part.split("/")[1][:4] for part in made.pack(PACKED)} == {"g001"}
    manifest = read_json(made.folder / "manifest.json")
    assert (manifest["kept"], manifest["failed"], manifest["generations"]) == (24, 12, 2)
    assert len(made.failures()) == 12


def test_copies_stay_as_they_are(mixed, tmp_path):
    made = Mixed(tmp_path / "out", mixed.films, 2)
    made.pack(replace(PACKED, pack=replace(PACKED.pack, mode="copy")))
    metas = [sample.meta for sample in all_samples(made).values()]
    assert {(meta["bucket"], meta["width"], meta["height"], meta["fps"]) for meta in metas} == {
        ("8x64x80@10", 96, 64, 10.0),
        ("6x64x48@5", 64, 96, 10.0),
    }


def test_bars_are_cut_off_before_a_bucket_is_chosen(mixed, tmp_path):
    made = Mixed(tmp_path / "out", mixed.films, 1)
    ids = [row["clip_id"] for row in made.rows[0]]
    boxes = {"crop_left": [0.0, 0.25, None], "crop_top": [0.0] * 3, "crop_right": [1.0, 0.75, None]}
    put_scores(made.corpus, 0, "frame", ids, crop_bottom=[1.0] * 3, **boxes)
    put_dedup(made.corpus, 0, ids)
    settings = replace(PACKED.pack, buckets=[Bucket(4, 96, 64, 10), Bucket(4, 40, 60, 10)], crop_bars=True)
    made.pack(CurateConfig(scorers=CONFIG.scorers | {"frame": Frame()}, pack=settings))
    packed = {key: sample.meta["bucket"] for key, sample in all_samples(made).items()}
    assert packed == {ids[0]: "4x64x96@10", ids[1]: "4x60x40@10"}
    assert made.failures() == {ids[2]: "its black bars are not known: no score crop_left, crop_right"}
