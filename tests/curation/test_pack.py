import io
import json
import logging
import math
import shutil
from dataclasses import replace
from itertools import pairwise

import av
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from footage import SIZE, number_of, numbered_frame, write_video
from handmade import put_dedup, put_scores

from curation import pack
from curation.child import ChildUnavailable
from curation.config import CurateConfig, LimitsConfig, PackConfig
from curation.engine import Engine
from curation.guard import claim
from curation.maker import stamped
from curation.pack_plan import make_plan
from curation.pack_worker import PackWorker
from curation.scorers.motion import Motion
from curation.tables import Corpus, part_name
from shards.reader import ShardSet
from shards.schema import CAPTIONS, CLIPS, INPUTS, VERDICTS, VIDEOS
from shards.store import write_json
from shards.verify import verify
from shards.video import VideoError, open_video

CLIPS_A_VIDEO = 3
CONFIG = CurateConfig(
    scorers={"motion": Motion()},
    pack=PackConfig(samples_per_shard=4, val_share=0.3, preset="ultrafast", motion_column="steps"),
)
MOTION_BUCKETS = [256 * 1 // 6, 256 * 3 // 6, 256 * 5 // 6]
"""Of the three clips of each video, whose `steps` are 1, 2 and 3."""


def video_id(number):
    return f"{number:020x}"


class Made:
    """A corpus of videos of 25 numbered frames, each with clips of 5, 8 and 12 of them, one video a part."""

    def __init__(self, root, films, videos):
        self.corpus, self.films, self.rows, self.ticks = Corpus(root), films, {}, {}
        films.mkdir(parents=True, exist_ok=True)
        for number in range(videos):
            self.add(number)
        self.judge({})

    def add(self, number):
        path = self.films / f"{number}.mp4"
        if not path.exists():
            write_video(path, [numbered_frame(k) for k in range(25)], g="9", bf="2")
        with open_video(str(path)) as video:
            ticks, base = [frame.pts for frame in video.frames()], video.info.time_base
        ticks.append(2 * ticks[-1] - ticks[-2])
        self.rows[number] = [self.clip(number, ticks, base, *span) for span in ((0, 5), (5, 13), (13, 25))]
        part, ids = part_name(number), [row["clip_id"] for row in self.rows[number]]
        video = dict.fromkeys(VIDEOS.names) | {"video_id": video_id(number), "path": str(path), "status": "ok"}
        self.corpus.write("videos", part, pa.Table.from_pylist([video], schema=VIDEOS), VIDEOS)
        self.list_file(number, path)
        self.corpus.write("clips", part, pa.Table.from_pylist(self.rows[number], schema=CLIPS), CLIPS)
        captions = [{"clip_id": ids[1], "text": text, "source": "me"} for text in ("grey steps", "again")]
        self.corpus.write("captions", part, pa.Table.from_pylist(captions, schema=CAPTIONS), CAPTIONS)
        # A null, a NaN and an embedding are no numbers to travel with a sample.
        vectors = pa.array([[1.0, 2.0]] * 3, pa.list_(pa.float32(), 2))
        put_scores(
            self.corpus, number, "motion", ids, flow=[0.25, None, math.nan], steps=[1.0, 2.0, 3.0], vector=vectors
        )
        put_dedup(self.corpus, number, ids)

    def list_file(self, number, path, readable=True):
        """Writes the file's row of `inputs` as it is now."""
        now = path.stat() if readable else None
        stamp = {"size_bytes": now and now.st_size, "mtime_ns": now and now.st_mtime_ns}
        row = {"path": str(path), "video_id": video_id(number), **stamp}
        self.corpus.write("inputs", part_name(number), pa.Table.from_pylist([row], schema=INPUTS), INPUTS)

    @staticmethod
    def clip(number, ticks, base, first, last):
        known = {
            "clip_id": f"{video_id(number)}-{100 * first:09d}-{100 * last:09d}",
            "video_id": video_id(number),
            "start_pts": ticks[first],
            "end_pts": ticks[last],
            "time_base_num": base.numerator,
            "time_base_den": base.denominator,
            "duration_s": (last - first) / 10,
            "num_frames": last - first,
            "width": SIZE[0],
            "height": SIZE[1],
            "luma_mean": 0.5 + first,
        }
        return dict.fromkeys(CLIPS.names) | known

    def judge(self, rejected):
        """Writes the verdicts of the set `hq`; clips not named are kept."""
        for number, rows in self.rows.items():
            ids = [row["clip_id"] for row in rows]
            table = pa.table([ids, [rejected.get(clip_id, []) for clip_id in ids]], schema=VERDICTS)
            self.corpus.write("verdicts/hq", part_name(number), table, VERDICTS)
        record = {"config_hash": "rules", "kept_hash": "kept"}
        write_json(self.corpus.folder("verdicts/hq") / "rules.json", record)

    @property
    def ids(self):
        return [row["clip_id"] for rows in self.rows.values() for row in rows]

    def pack(self, config=CONFIG):
        """What the driver does; returns the parts done and their counts."""
        done = {}
        pack.check(config, "hq")
        description = pack.describe(self.corpus, config, "hq")
        claim(self.corpus, "pack", "shards/hq", description)
        parts = pack.plan(self.corpus, config, "hq", description)
        engine = Engine("local", None, self.corpus.root / "journal")
        engine.run("pack", pack.PackTask(self.corpus, config.pack_of("hq"), "hq"), parts, done.__setitem__)
        if parts:
            pack.finish(self.corpus, "hq")
        return done

    @property
    def folder(self):
        return self.corpus.folder("shards/hq")

    def samples(self, split):
        shards = ShardSet(self.folder / split)
        return [shards.read(i) for i in range(len(shards))]

    def files(self):
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}

    def failures(self):
        tables = [pq.ParquetFile(path).read() for path in sorted((self.folder / "failures").glob("*.parquet"))]
        return {row["clip_id"]: row["error"] for row in pa.concat_tables(tables).to_pylist()}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Seven videos, of which the first clip of the last is rejected, packed."""
    made = Made(tmp_path_factory.mktemp("corpus") / "out", tmp_path_factory.mktemp("films"), 7)
    made.judge({made.ids[-3]: ["flow:null"]})
    made.counts = made.pack()
    return made


def copy(packed, tmp_path):
    """Another corpus with the same tables and films, whose shards may be spoilt."""
    shutil.copytree(packed.corpus.root, tmp_path / "out")
    made = object.__new__(Made)
    made.__dict__ = packed.__dict__ | {"corpus": Corpus(tmp_path / "out")}
    return made


def die_after(number, monkeypatch):
    """Interrupts the worker at the part that follows on so many; gives the list of those done."""
    done, run = [], PackWorker.run

    def dying(worker, part):
        if len(done) == number:
            raise KeyboardInterrupt
        done.append(part)
        return run(worker, part)

    monkeypatch.setattr(PackWorker, "run", dying)
    return done


def test_every_kept_clip_is_packed_once_and_the_sums_hold(packed):
    keys = [sample.key for split in ("train", "val") for sample in packed.samples(split)]
    assert sorted(keys) == sorted(set(packed.ids) - {packed.ids[-3]})
    assert packed.failures() == {}
    manifest = json.loads((packed.folder / "manifest.json").read_text())
    assert manifest["kept"] == 20 == manifest["train"] + manifest["val"] and manifest["failed"] == 0
    assert manifest["train"] > 0 and manifest["val"] > 0 and manifest["kept_hash"] == "kept"
    assert sum(counts["packed"] for counts in packed.counts.values()) == 20
    sizes = [s["num_samples"] for s in ShardSet(packed.folder / "train").manifest["shards"]]
    assert all(size == 4 for size in sizes[:-1]) and 1 <= sizes[-1] <= 4


def test_a_sample_holds_exactly_the_frames_and_the_facts_of_its_clip(packed):
    clips = {row["clip_id"]: (number, k, row) for number, rows in packed.rows.items() for k, row in enumerate(rows)}
    spans = [range(0, 5), range(5, 13), range(13, 25)]
    for sample in packed.samples("train") + packed.samples("val"):
        number, k, row = clips[sample.key]
        with av.open(io.BytesIO(sample.content)) as container:
            frames = [number_of(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
        assert frames == list(spans[k])
        scores = {"luma_mean": row["luma_mean"], "steps": k + 1.0} | ({"flow": 0.25} if k == 0 else {})
        captions = [{"text": text, "source": "me"} for text in ("grey steps", "again")] if k == 1 else []
        same = ["video_id", "start_pts", "end_pts", "time_base_num", "time_base_den", "num_frames", "duration_s"]
        assert sample.meta == {
            "key": sample.key,
            "captions": captions,
            "fps": 10.0,
            "width": SIZE[0],
            "height": SIZE[1],
            "scores": scores,
            "path": str(packed.films / f"{number}.mp4"),
            "config_hash": sample.meta["config_hash"],
            "made_by": "encode",
            "audio": None,
            "motion_bucket": MOTION_BUCKETS[k],
            "bucket": None,
            "score_configs": {"motion": "", "dedup": ""},
            **{name: row[name] for name in same},
        }
        assert sample.caption == ("grey steps" if k == 1 else "")


def test_motion_is_ranked_among_all_clips_and_the_mapping_stays_with_the_set(packed, tmp_path):
    planned = json.loads((packed.folder / "plan" / "plan.json").read_text())
    assert planned["motion"] == {"column": "steps", "edges": [1.0] * 42 + [2.0] * 86 + [3.0] * 85, "num_clips": 21}
    made = copy(packed, tmp_path)
    made.judge({clip_id: ["steps:max"] for clip_id in made.ids[2::3]})  # the fastest clips are rejected, and count
    rows = [row for _, table in make_plan(made.corpus, CONFIG, "hq", "").parts() for row in table.to_pylist()]
    assert {row["motion_bucket"] for row in rows} == set(MOTION_BUCKETS[:2])


def test_a_clip_without_a_score_of_motion_has_no_bucket(packed, tmp_path, caplog):
    def buckets(column):
        config = replace(CONFIG, pack=replace(CONFIG.pack, motion_column=column))
        rows = [row for _, table in make_plan(packed.corpus, config, "hq", "").parts() for row in table.to_pylist()]
        return {row["key"][20:]: row["motion_bucket"] for row in rows}

    with_null = buckets("flow")  # of each video the first clip's is 0.25, the others have none
    assert [bucket for _, bucket in sorted(with_null.items())] == [128, None, None]
    assert set(buckets(None).values()) == {None} and not caplog.text
    assert set(buckets("speed").values()) == {None} and "no score `speed`, so its samples have no mot" in caplog.text
    with pytest.raises(ValueError, match=r"pack\.motion_column: `vector` does not hold one number a clip"):
        buckets("vector")


def test_the_hash_of_each_score_table_travels_with_the_sample(packed, tmp_path):
    made = copy(packed, tmp_path)
    write_json(made.corpus.folder("scores/motion") / "config.json", {"hash": "beef"})
    rows = [row for _, table in make_plan(made.corpus, CONFIG, "hq", "").parts() for row in table.to_pylist()]
    assert {tuple(row["score_configs"]) for row in rows} == {(("dedup", ""), ("motion", "beef"))}


def test_scores_of_two_makers_are_not_packed_together(packed, tmp_path):
    made = copy(packed, tmp_path)
    write_json(made.corpus.folder("scores/motion") / "config.json", {"hash": "now"})
    rows = made.corpus.read("scores/motion", part_name(1))
    made.corpus.write("scores/motion", part_name(1), rows, stamped(rows.schema, "then"))
    with pytest.raises(ValueError, match=r"motion/part-00001.parquet was made with another .* or other weights"):
        make_plan(made.corpus, CONFIG, "hq", "")


def test_clips_of_all_sources_are_mixed(packed):
    videos = [sample.meta["video_id"] for sample in packed.samples("train")]
    neighbours = sum(a == b for a, b in pairwise(videos))
    assert videos != sorted(videos) and neighbours < len(videos) / 2
    other = CurateConfig(scorers=CONFIG.scorers, pack=PackConfig(samples_per_shard=4, val_share=0.3, seed=1))
    plans = [dict(make_plan(packed.corpus, config, "hq", "").parts()) for config in (CONFIG, other)]
    keys = [[key for part in plan for key in plan[part]["key"].to_pylist()] for plan in plans]
    assert keys[0] != keys[1] and sorted(keys[0]) == sorted(keys[1])


def test_a_second_run_has_nothing_to_do(packed):
    before = packed.files()
    assert packed.pack() == {} and packed.files() == before


def test_the_same_clips_give_the_same_bytes_and_a_lost_index_is_made_again(packed, tmp_path):
    made, whole = copy(packed, tmp_path), packed.files()
    lost = made.folder / "train" / "00001.parquet"
    lost.unlink()
    assert list(made.pack()) == ["train/00001"] and made.files() == whole
    shutil.rmtree(made.folder)
    assert set(made.pack()) == set(packed.counts) and made.files() == whole


def test_a_run_that_is_killed_goes_on_where_it_stopped(packed, tmp_path, monkeypatch):
    made = copy(packed, tmp_path)
    shutil.rmtree(made.folder)
    done = die_after(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        made.pack()
    assert not (made.folder / "manifest.json").exists()
    with pytest.raises((RuntimeError, OSError)):
        pack.finish(made.corpus, "hq")
    monkeypatch.undo()
    assert set(made.pack()) == set(packed.counts) - set(done)
    assert made.files() == packed.files()


def test_shards_have_no_more_bytes_than_wanted(packed, tmp_path):
    made = copy(packed, tmp_path)
    shutil.rmtree(made.folder)
    sizes = {s.key: len(s.content) for split in ("train", "val") for s in packed.samples(split)}
    most = 2 * max(sizes.values())
    made.pack(replace(CONFIG, pack=replace(CONFIG.pack, shard_bytes=most)))
    assert {s.key for split in ("train", "val") for s in made.samples(split)} == set(sizes)
    assert [checked for checked in verify(made.folder, "all") if checked.problem] == []
    shards = ShardSet(made.folder / "train")
    names = [shard["name"] for shard in shards.manifest["shards"]]
    assert "00000_01" in names and len(names) > len(ShardSet(packed.folder / "train").manifest["shards"])
    ends = shards.shard_sizes.cumsum().tolist()
    held = [sum(sizes[key] for key in shards.keys[a:b]) for a, b in zip([0, *ends], ends, strict=False)]
    assert max(held) <= most


def test_a_clip_that_fails_is_listed_and_the_rest_goes_on(packed, tmp_path, caplog):
    made = Made(tmp_path / "out", tmp_path / "films", 4)
    (made.films / "0.mp4").unlink()
    (made.films / "1.mp4").write_bytes((made.films / "1.mp4").read_bytes()[:-900])
    write_video(made.films / "2.mp4", [numbered_frame(k) for k in range(20)], g="9", bf="2")
    for number in range(3):  # they were so when they were listed
        made.list_file(number, made.films / f"{number}.mp4", readable=number > 0)
    counts = made.pack()
    failures, ids = made.failures(), made.ids
    assert all("cannot be opened" in failures[clip_id] for clip_id in ids[:3])
    assert failures[ids[8]] == "other frames than were scored: 7, not 12"
    assert ids[6] not in failures and ids[7] not in failures and not set(ids[9:]) & set(failures)
    assert failures.keys() & set(ids[3:6]), "the truncated file lost at least one clip"
    packed_keys = {sample.key for split in ("train", "val") for sample in made.samples(split)}
    assert packed_keys == set(ids) - set(failures)
    assert sum(c["packed"] + c["failed"] for c in counts.values()) == len(ids)
    assert f"{len(failures)} of 12 kept clips FAILED" in caplog.text


def test_a_clip_that_kills_its_reader_costs_that_clip_alone(packed, tmp_path, monkeypatch):
    made = copy(packed, tmp_path)
    shutil.rmtree(made.folder)
    monkeypatch.setattr("curation.pack_worker.cut_listed", cut_or_die)
    made.pack()
    doomed = {clip_id for clip_id in made.ids[:-3] + made.ids[-2:] if clip_id.startswith(video_id(3))}
    assert made.failures() == dict.fromkeys(doomed, made.failures()[next(iter(doomed))])
    assert made.failures()[next(iter(doomed))].startswith("crashed")


def cut_or_die(path, *span):
    import os

    from curation.pack_worker import cut_listed

    if path.endswith("3.mp4"):
        os._exit(9)
    return cut_listed(path, *span)


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_a_film_that_is_not_what_was_split_costs_its_clips_alone(tmp_path, change):
    made = Made(tmp_path / "out", tmp_path / "films", 4)
    (made.films / "2.mp4").unlink()
    if change == "changed":
        (made.films / "2.mp4").write_bytes((made.films / "1.mp4").read_bytes())
    one_a_shard = CurateConfig(scorers=CONFIG.scorers, pack=PackConfig(samples_per_shard=1, preset="ultrafast"))
    made.pack(one_a_shard)
    assert made.failures() == dict.fromkeys(made.ids[6:9], f"{change} since it was listed")
    packed_keys = {s.key for split in ("train", "val") for s in made.samples(split)}
    assert packed_keys == set(made.ids) - set(made.ids[6:9])


def test_where_all_footage_is_gone_the_job_stops_and_no_clip_has_failed(tmp_path):
    made = Made(tmp_path / "out", tmp_path / "films", 4)
    made.films.rename(tmp_path / "away")
    with pytest.raises(OSError, match=r"mp4: gone since it was listed, and so is every other .* mounted\?"):
        made.pack()
    assert not (made.folder / "manifest.json").exists() and made.folder.exists()
    (tmp_path / "away").rename(made.films)
    made.pack()
    assert made.failures() == {}
    assert {s.key for split in ("train", "val") for s in made.samples(split)} == set(made.ids)


def test_footage_that_goes_away_while_it_is_read_is_no_failure(packed, tmp_path, monkeypatch):
    made = copy(packed, tmp_path)
    shutil.rmtree(made.folder)
    parts = pack.plan(made.corpus, CONFIG, "hq")

    def unplugged(*_):
        made.films.rename(tmp_path / "away")
        raise VideoError("cannot be opened: Input/output error")

    monkeypatch.setattr("curation.pack_worker.PackWorker._try", unplugged)
    worker = pack.PackTask(made.corpus, CONFIG.pack, "hq").build()
    try:
        with pytest.raises(OSError, match="gone since it was listed, and so is every other"):
            worker.run(parts[0])
    finally:
        (tmp_path / "away").rename(made.films)
        worker.close()
    assert not (made.folder / "failures").exists()


def test_a_film_that_is_replaced_while_it_is_cut_costs_its_clips_alone(packed, tmp_path, monkeypatch):
    made, cut = copy(packed, tmp_path), PackWorker._try
    shutil.rmtree(made.folder)
    shutil.copytree(made.films, tmp_path / "films")
    made.films = tmp_path / "films"
    for number in made.rows:
        made.add(number)
    made.judge({})

    def replaced(worker, row):
        clip = cut(worker, row)
        if row["path"].endswith("2.mp4"):
            write_video(made.films / "2.mp4", [numbered_frame(k) for k in range(30)])
        return clip

    monkeypatch.setattr(PackWorker, "_try", replaced)
    made.pack()
    failures = made.failures()
    assert set(failures) == {clip_id for clip_id in made.ids if clip_id.startswith(video_id(2))}
    assert all("changed since it was listed" in error for error in failures.values())


def test_frames_larger_than_the_limit_are_not_cut(packed, tmp_path):
    made = copy(packed, tmp_path)
    shutil.rmtree(made.folder)
    parts = pack.plan(made.corpus, CONFIG, "hq")
    worker = pack.PackTask(made.corpus, CONFIG.pack, "hq", LimitsConfig(max_pixels=99)).build()
    assert worker.run(parts[0])["packed"] == 0
    worker.close()
    assert all(error.startswith("frame too large") for error in made.failures().values())


def test_trouble_of_our_own_stops_the_job_and_blames_no_clip(packed, tmp_path):
    made = copy(packed, tmp_path)
    shutil.rmtree(made.folder)
    parts = pack.plan(made.corpus, CONFIG, "hq")
    worker = pack.PackTask(made.corpus, CONFIG.pack, "hq").build()
    worker.close()
    with pytest.raises(ChildUnavailable):
        worker.run(parts[0])
    assert not list(made.folder.glob("*/*.tar"))


def test_a_full_disk_stops_the_job_and_blames_no_clip(packed, tmp_path, monkeypatch):
    made = copy(packed, tmp_path)
    shutil.rmtree(made.folder)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("curation.pack_worker.Child.call", full)
    with pytest.raises(OSError, match="No space left"):
        made.pack()
    assert not list(made.folder.glob("*/*.tar")) and not list(made.folder.glob("train/*"))


def test_validation_shares_no_duplicate_group_and_no_video_that_stands_alone(tmp_path):
    made = Made(tmp_path / "out", tmp_path / "films", 1)
    for number in range(1, 40):  # the same film under many ids: only the plan is looked at
        made.rows[number] = [
            row | {"video_id": video_id(number), "clip_id": video_id(number) + row["clip_id"][20:]}
            for row in made.rows[0]
        ]
        part, ids = part_name(number), [row["clip_id"] for row in made.rows[number]]
        made.corpus.write("clips", part, pa.Table.from_pylist(made.rows[number], schema=CLIPS), CLIPS)
        video = dict.fromkeys(VIDEOS.names) | {"video_id": video_id(number), "path": "a.mp4"}
        made.corpus.write("videos", part, pa.Table.from_pylist([video], schema=VIDEOS), VIDEOS)
        made.corpus.write("captions", part, CAPTIONS.empty_table(), CAPTIONS)
        row = {"path": "a.mp4", "size_bytes": 1, "mtime_ns": 1, "video_id": video_id(number)}
        made.corpus.write("inputs", part, pa.Table.from_pylist([row], schema=INPUTS), INPUTS)
        put_scores(made.corpus, number, "motion", ids, flow=[1.0] * 3, steps=[1.0] * 3)
        put_dedup(made.corpus, number, ids, [f"group {number // 3}", None, None], [number % 3, None, None])
    made.judge({})
    groups = {row[0]["clip_id"]: f"group {number // 3}" for number, row in made.rows.items() if number}
    sides = {"train": set(), "val": set()}
    for part, rows in make_plan(made.corpus, CONFIG, "hq", "").parts():
        for key in rows["key"].to_pylist():
            sides[part.split("/")[0]] |= {groups.get(key), key[:20]} - {None}
    assert not sides["train"] & sides["val"], "of groups and videos"
    assert len(sides["train"] | sides["val"]) == 40 + 14 and len(sides["val"]) > 5


def test_a_set_that_keeps_nothing_is_empty_and_says_so(packed, tmp_path, caplog):
    made = copy(packed, tmp_path)
    shutil.rmtree(made.folder)
    made.judge({clip_id: ["flow:min"] for clip_id in made.ids})
    with caplog.at_level(logging.WARNING):
        assert made.pack() == {}
    assert "EMPTY" in caplog.text
    assert [len(ShardSet(made.folder / split)) for split in ("train", "val")] == [0, 0]
    assert json.loads((made.folder / "manifest.json").read_text())["kept"] == 0


def test_the_description_tells_other_settings(packed, tmp_path):
    made = copy(packed, tmp_path)
    before = pack.describe(made.corpus, CONFIG, "hq")
    assert before == pack.describe(packed.corpus, CONFIG, "hq")
    other = CurateConfig(scorers=CONFIG.scorers, pack=PackConfig(crf=30))
    assert before != pack.describe(made.corpus, other, "hq")
    with pytest.raises(ValueError, match="was made with other settings; name another OUT, or say FORCE=pack"):
        pack.plan(made.corpus, other, "hq")
    (made.corpus.folder("verdicts/hq") / "rules.json").unlink()
    with pytest.raises(ValueError, match="run JOB=filter first"):
        pack.describe(made.corpus, CONFIG, "hq")


def test_the_description_tells_other_scores(packed, tmp_path):
    made = copy(packed, tmp_path)
    before = pack.describe(made.corpus, CONFIG, "hq")
    record = made.corpus.folder("scores/motion") / "config.json"
    write_json(record, {"hash": "one"})
    scored = pack.describe(made.corpus, CONFIG, "hq")
    write_json(record, {"hash": "two"})
    more = CurateConfig(scorers={"motion": Motion(), "other": Motion()}, pack=CONFIG.pack)
    told = [before, scored, pack.describe(made.corpus, CONFIG, "hq"), pack.describe(made.corpus, more, "hq")]
    assert len({json.dumps(each["scores"]) for each in told}) == 4
    with pytest.raises(ValueError, match="was made with other settings"):
        pack.plan(made.corpus, CONFIG, "hq")
    assert pack.plan(made.corpus, CONFIG, "hq", before) == []


def test_captions_of_rejected_clips_do_not_matter_and_those_of_packed_ones_do(packed, tmp_path):
    made = copy(packed, tmp_path)
    part, before = part_name(6), made.corpus.read("captions", part_name(6)).to_pylist()

    def caption(clip_id):
        rows = [*before, {"clip_id": clip_id, "text": "new words", "source": "me"}]
        made.corpus.write("captions", part, pa.Table.from_pylist(rows, schema=CAPTIONS), CAPTIONS)

    caption(made.ids[-3])
    assert made.pack() == {} and not pack.is_outdated(made.corpus, CONFIG, "hq")
    caption(made.ids[-1])
    assert pack.is_outdated(made.corpus, CONFIG, "hq")
    with pytest.raises(ValueError, match=r"was packed with other captions of clips of generation 0; say FORCE=pack"):
        made.pack()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"samples_per_shard": 0}, "pack.samples_per_shard"),
        ({"val_share": 2.0}, "pack.val_share"),
        ({"codec": "x"}, "codec"),
    ],
)
def test_a_wrong_configuration_is_named_before_anything_is_written(packed, tmp_path, wrong, named):
    made = copy(packed, tmp_path)
    shutil.rmtree(made.folder)
    with pytest.raises(ValueError, match=named):
        pack.plan(made.corpus, CurateConfig(scorers=CONFIG.scorers, pack=PackConfig(**wrong)), "hq")
    assert not made.folder.exists()
