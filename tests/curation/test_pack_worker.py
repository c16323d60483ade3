import io
import math

import av
import pytest
from footage import number_of
from handmade import put_scores
from sound import span, write_with_sound
from test_pack import Made

from curation.bars import MIXED_LINE, crop_of
from curation.config import CurateConfig, LimitsConfig, PackConfig
from curation.pack_worker import Way, cut_listed, encode_settings, way_of
from curation.scorers.frame import CROP, Frame
from curation.scorers.motion import Motion
from shards.copy import NotCopyable, copy_clip
from shards.encode import EncodeSettings, cut_clip
from shards.fit import Crop
from shards.video import VideoError, open_video

MOTION = {"motion": Motion()}


def pack_config(**settings):
    return PackConfig(samples_per_shard=4, val_share=0.3, preset="ultrafast", **settings)


@pytest.fixture
def made(tmp_path):
    """Three videos of 25 numbered frames, keyframes at 0, 9 and 18, clips of the frames 0-5, 5-13 and 13-25."""
    return Made(tmp_path / "out", tmp_path / "films", 3)


def by_key(made):
    return {sample.key: sample for split in ("train", "val") for sample in made.samples(split)}


def numbers(video):
    with open_video(video) as opened:
        return [number_of(frame.rgb(*frame.size)) for frame in opened.frames()]


def test_what_can_be_copied_is_and_the_rest_is_encoded(made):
    config = CurateConfig(scorers=MOTION, pack=pack_config(mode="copy"))
    for rows in made.rows.values():
        rows[1] |= {"start_pts": rows[0]["end_pts"] // 5 * 9, "num_frames": 4}  # from the keyframe at 9 to 13
    rewrite(made)
    counts = made.pack(config)
    assert made.failures() == {}
    samples, ways = by_key(made), []
    for number, rows in made.rows.items():
        for row, shown in zip(rows, (range(5), range(9, 13), range(13, 25)), strict=True):
            path = str(made.films / f"{number}.mp4")
            edges, video = (row["start_pts"], row["end_pts"]), samples[row["clip_id"]].content
            assert numbers(video) == list(shown)
            try:
                wanted, way = copy_clip(path, *edges, len(shown)), "copy"
            except NotCopyable:
                wanted, way = cut_clip(path, *edges, encode_settings(config.pack)), "encode"
            assert video == wanted.content
            assert samples[row["clip_id"]].meta["num_frames"] == len(shown)
            ways.append(way)
    assert set(ways[:3]) == {"copy", "encode"} and ways[2] == "encode", "the last clip starts on no keyframe"
    assert sum(part["copied"] for part in counts.values()) == ways.count("copy")
    before = made.files()
    (made.folder / "train" / "00000.parquet").unlink()
    made.pack(config)
    assert made.files() == before


def rewrite(made):
    import pyarrow as pa

    from curation.tables import part_name
    from shards.schema import CLIPS

    for number, rows in made.rows.items():
        made.corpus.write("clips", part_name(number), pa.Table.from_pylist(rows, schema=CLIPS), CLIPS)


def test_a_rate_of_its_own_changes_the_frames_and_not_what_is_checked(made):
    made.rows[1][2]["num_frames"] = 11  # as if another frame had been lost when it was scored
    rewrite(made)
    made.pack(CurateConfig(scorers=MOTION, pack=pack_config(fps=5)))
    assert made.failures() == {made.rows[1][2]["clip_id"]: "other frames than were scored: 12, not 11"}
    samples = by_key(made)
    shown = [[0, 2, 4], [5, 7, 9, 11], [13, 15, 17, 19, 21, 23]]
    for rows in made.rows.values():
        for row, wanted in zip(rows, shown, strict=True):
            if row["num_frames"] != 11:
                sample = samples[row["clip_id"]]
                assert numbers(sample.content) == wanted
                assert (sample.meta["fps"], sample.meta["num_frames"]) == (5.0, len(wanted))


def test_bars_are_cut_off_where_they_were_found(made):
    for number, rows in made.rows.items():
        ids = [row["clip_id"] for row in rows]
        boxes = {"crop_left": [0.0, 0.25, None], "crop_top": [0.0] * 3, "crop_right": [1.0, 0.75, None]}
        put_scores(made.corpus, number, "frame", ids, crop_bottom=[1.0] * 3, **boxes)
    made.pack(CurateConfig(scorers=MOTION | {"frame": Frame()}, pack=pack_config(crop_bars=True)))
    lost = {rows[2]["clip_id"] for rows in made.rows.values()}
    assert made.failures() == dict.fromkeys(lost, "its black bars are not known: no score crop_left, crop_right")
    samples = by_key(made)
    for rows in made.rows.values():
        metas = [samples[row["clip_id"]].meta for row in rows[:2]]
        sizes = [(meta["width"], meta["height"]) for meta in metas]
        assert sizes == [(96, 64), (44, 64)], "less a line at each side"


def test_a_line_that_may_be_of_both_goes_with_its_bar():
    names = dict(zip(CROP, (0.0, 0.1, 1.0, 0.9), strict=True))
    assert crop_of(names) == Crop(0, 0.1 + MIXED_LINE, 1, 0.9 - MIXED_LINE)
    assert crop_of(dict(zip(CROP, (0.0, 0.0, 1.0, 1.0), strict=True))) is None
    with pytest.raises(VideoError, match="no score crop_bottom"):
        crop_of({name: 0.0 for name in CROP[:3]})


def test_the_way_of_a_clip():
    row = {
        "num_frames": 7,
        "scores": [("crop_left", 0.0), ("crop_top", 0.25), ("crop_right", 1.0), ("crop_bottom", 1.0)],
    }
    assert way_of(row, PackConfig()) == Way()
    assert way_of(row, PackConfig(mode="copy", audio="copy")) == Way(copied_frames=7, audio=True)
    assert way_of(row, PackConfig(crop_bars=True)).crop == Crop(0, 0.25 + MIXED_LINE, 1, 1)


@pytest.mark.parametrize("first", [10, 11])
def test_sound_comes_with_copied_and_with_encoded_clips(tmp_path, first):
    path = write_with_sound(tmp_path / "a.mp4", "aac")
    limits, settings = LimitsConfig(), EncodeSettings()
    edges = span(path, first, 20)
    silent = cut_listed(str(path), *edges, settings, limits, Way(copied_frames=20 - first))
    loud = cut_listed(str(path), *edges, settings, limits, Way(copied_frames=20 - first, audio=True))
    assert silent.made_by == ("copy" if first == 10 else "encode: it starts on no keyframe") == loud.made_by
    kinds = []
    for clip in (silent, loud):
        with av.open(io.BytesIO(clip.content)) as container:
            kinds.append([stream.type for stream in container.streams])
    assert kinds == [["video"], ["video", "audio"]] and (silent.audio, loud.audio) == (None, "aac")


def test_sound_that_is_lost_is_told_in_the_sample_and_counted(tmp_path, caplog):
    films = tmp_path / "films"
    films.mkdir()
    for number, codec in enumerate(("pcm_s16le", "aac")):
        write_with_sound(tmp_path / f"{number}.mkv", codec).rename(films / f"{number}.mp4")
    made = Made(tmp_path / "out", films, 3)
    counts = made.pack(CurateConfig(scorers=MOTION, pack=pack_config(audio="copy", shard_bytes=1)))
    told = {sample.meta["video_id"]: sample.meta["audio"] for sample in by_key(made).values()}
    assert [told[key] for key in sorted(told)] == ["dropped: mp4 cannot hold pcm_s16le", "aac", "none"]
    assert sum(part["lost their sound"] for part in counts.values()) == 3
    assert "3 clips LOST THEIR SOUND: 3 mp4 cannot hold pcm_s16le" in caplog.text


WRONG = [
    ({"mode": "copy", "short_side_px": 96}, "pack.short_side_px"),
    ({"mode": "copy", "fps": 8.0}, "pack.fps"),
    ({"mode": "copy", "crop_bars": True}, "pack.crop_bars"),
    ({"gop_frames": 0}, "pack.gop_frames"),
    ({"encoder_threads": 0}, "pack.encoder_threads"),
]


@pytest.mark.parametrize(("wrong", "key"), WRONG)
def test_what_does_not_go_together_is_named(wrong, key):
    with pytest.raises(ValueError, match=key):
        PackConfig(**wrong)


@pytest.mark.parametrize("wrong", [{"fps": 0.0}, {"fps": math.nan}, {"encoder_options": {"tnue": "film"}}])
def test_what_the_encoder_cannot_do_is_told_before_work(made, wrong):
    with pytest.raises(ValueError, match=r"pack: .*(fps|tnue)"):
        made.pack(CurateConfig(scorers=MOTION, pack=pack_config(**wrong)))
    assert not made.folder.exists()


def test_bars_need_the_scorer_that_finds_them():
    with pytest.raises(ValueError, match=r"pack.crop_bars: needs the scorer curation\.scorers\.frame\.Frame"):
        CurateConfig(scorers=MOTION, pack=PackConfig(crop_bars=True))
    CurateConfig(scorers={"frame": Frame()}, pack=PackConfig(crop_bars=True))
