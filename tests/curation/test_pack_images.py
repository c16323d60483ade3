"""Pictures of clips, from the tables to shards that others read; and sets packed each in its own way."""

import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from footage import SIZE, number_of, numbered_frame, write_video
from handmade import put_scores
from PIL import Image
from test_pack import CONFIG, Made

from curation import pack
from curation.config import Bucket, CurateConfig, PackConfig, RuleSet
from curation.force import force
from curation.guard import claim
from curation.pack_plan import make_plan
from curation.pack_worker import PackWorker
from curation.scorers.frame import Frame
from curation.tables import Corpus, part_name
from shards.describe import describe
from shards.schema import PROXIES
from shards.verify import verify

SPANS = ((0, 5), (5, 13), (13, 25))
BEST = (3, 5, 19)
"""Of the first two clips of every film the frame that is measured to be the sharpest; the last one has no proxy frame,
so it is the one in the middle."""


def config(scorers=CONFIG.scorers, **changes):
    """As `CONFIG`, with pictures for the set `hq`."""
    return replace(CONFIG, scorers=scorers, sets={"hq": RuleSet(pack={"mode": "images", **changes})})


class Pictured(Made):
    """Films whose first two clips have a proxy frame for every frame; one is sharper than the others."""

    def add(self, number):
        super().add(number)
        first, *_, last = self.rows[number]
        step = (last["end_pts"] - first["start_pts"]) // 25
        rows = [
            {"video_id": first["video_id"], "pts": step * k, "time_s": k / 10, "jpeg": b"never looked at"}
            | {"sharpness": 90.0 + 9 * (k in BEST) - k, "blockiness": 1.0}
            for k in range(13)
        ]
        self.corpus.write("proxies", part_name(number), pa.Table.from_pylist(rows, schema=PROXIES), PROXIES)

    def by_key(self):
        return {sample.key: sample for split in ("train", "val") for sample in self.samples(split)}


@pytest.fixture(scope="module")
def pictured(tmp_path_factory):
    """Seven films, the first clip of the last rejected, packed as pictures."""
    made = Pictured(tmp_path_factory.mktemp("corpus") / "out", tmp_path_factory.mktemp("films"), 7)
    made.judge({made.ids[-3]: ["flow:null"]})
    made.counts = made.pack(config())
    return made


def copy(pictured, tmp_path):
    """Another corpus with the same tables and films, of which nothing is packed."""
    shutil.copytree(pictured.corpus.root, tmp_path / "out")
    made = object.__new__(Pictured)
    made.__dict__ = pictured.__dict__ | {"corpus": Corpus(tmp_path / "out"), "rows": dict(pictured.rows)}
    shutil.rmtree(made.folder)
    return made


def opened(sample):
    return Image.open(io.BytesIO(sample.content))


def shown(sample):
    return number_of(np.asarray(opened(sample).convert("RGB")))


def test_each_clip_gives_its_best_frame_and_keeps_its_facts(pictured):
    samples = pictured.by_key()
    assert set(samples) == set(pictured.ids) - {pictured.ids[-3]} and pictured.failures() == {}
    for rows in pictured.rows.values():
        for k, row in enumerate(rows):
            if row["clip_id"] not in samples:
                continue
            sample = samples[row["clip_id"]]
            assert shown(sample) == BEST[k] and opened(sample).format == "JPEG" and sample.extension == "jpg"
            meta, step = sample.meta, row["end_pts"] // SPANS[k][1]
            assert meta["made_by"] == f"image: frame at {BEST[k] * step}"
            assert (meta["fps"], meta["num_frames"], meta["audio"]) == (None, 1, None)
            assert (meta["width"], meta["height"]) == SIZE == opened(sample).size
            same = ["video_id", "start_pts", "end_pts", "time_base_num", "time_base_den", "duration_s"]
            assert {name: meta[name] for name in same} == {name: row[name] for name in same}
            assert sample.caption == ("grey steps" if k == 1 else "")
            assert "picture_pts" not in meta and meta["scores"]["steps"] == k + 1.0


def test_the_set_passes_its_check_and_can_be_described(pictured):
    assert [checked for checked in verify(pictured.folder, "all") if checked.problem] == []
    assert "96x64" in "\n".join(describe(pictured.folder))


def test_the_plan_names_the_frame(pictured):
    plan = make_plan(pictured.corpus, config(), "hq", "")
    told = {row["key"]: row["picture_pts"] for _, table in plan.parts() for row in table.to_pylist()}
    rows = pictured.rows[0]
    step = rows[0]["end_pts"] // 5
    assert [told[row["clip_id"]] for row in rows] == [3 * step, 5 * step, None]
    videos = make_plan(pictured.corpus, CONFIG, "hq", "")
    assert {row["picture_pts"] for _, table in videos.parts() for row in table.to_pylist()} == {None}


def test_a_second_run_has_nothing_to_do_and_the_same_clips_give_the_same_bytes(pictured, tmp_path):
    before = pictured.files()
    assert pictured.pack(config()) == {} and pictured.files() == before
    made = copy(pictured, tmp_path)
    assert set(made.pack(config())) == set(pictured.counts) and made.files() == before


def test_a_run_that_is_killed_goes_on_to_the_same_bytes(pictured, tmp_path, monkeypatch):
    made, cuts, cut = copy(pictured, tmp_path), [], PackWorker._cut

    def dying(worker, part, row):
        if len(cuts) == 6:  # within the second shard
            raise KeyboardInterrupt
        cuts.append(row["key"])
        return cut(worker, part, row)

    monkeypatch.setattr(PackWorker, "_cut", dying)
    with pytest.raises(KeyboardInterrupt):
        made.pack(config())
    assert not (made.folder / "manifest.json").exists()
    monkeypatch.undo()
    done = made.pack(config())
    assert len(done) == len(pictured.counts) - 1 and made.files() == pictured.files()


def test_webdataset_reads_it(pictured):
    import webdataset

    urls = [str(path) for path in sorted((pictured.folder / "train").glob("*.tar"))]
    read = {each["__key__"]: each for each in webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8")}
    samples = {sample.key: sample for sample in pictured.samples("train")}
    assert set(read) == set(samples)
    for key, each in read.items():
        assert number_of(each["jpg"]) == shown(samples[key]) and each["json"]["num_frames"] == 1


def test_format_quality_and_size_are_told_by_the_set(pictured, tmp_path):
    made = copy(pictured, tmp_path)
    made.pack(config(image_format="webp", image_quality=60, short_side_px=32))
    samples = made.by_key()
    assert {(opened(each).format, *opened(each).size) for each in samples.values()} == {("WEBP", 48, 32)}
    assert {shown(samples[row["clip_id"]]) for rows in made.rows.values() for row in rows[1:]} == {5, 19}
    assert {each.extension for each in samples.values()} == {"webp"}
    assert [checked for checked in verify(made.folder, "all") if checked.problem] == []


def test_a_bucket_of_pictures_has_a_size_and_no_rate(pictured, tmp_path):
    made = copy(pictured, tmp_path)
    made.pack(config(buckets=[Bucket(1, 64, 64), Bucket(1, 960, 640)], bucket_max_crop=0.4))
    metas = [sample.meta for sample in made.by_key().values()]
    assert {(meta["bucket"], meta["width"], meta["height"]) for meta in metas} == {("1x64x64", 64, 64)}
    made = copy(pictured, tmp_path / "other")
    made.pack(config(buckets=[Bucket(1, 64, 64)]))
    assert set(made.failures().values()) == {
        "fits no bucket (of another aspect): 5 frames at 10 a second, 96x64 px"
    } | {f"fits no bucket (of another aspect): {n} frames at 10 a second, 96x64 px" for n in (8, 12)}


def test_bars_are_cut_off(pictured, tmp_path):
    made = copy(pictured, tmp_path)
    for number, rows in made.rows.items():
        boxes = {"crop_left": [0.0, 0.25, None], "crop_top": [0.0] * 3, "crop_right": [1.0, 0.75, None]}
        put_scores(made.corpus, number, "frame", [row["clip_id"] for row in rows], crop_bottom=[1.0] * 3, **boxes)
    made.pack(config(CONFIG.scorers | {"frame": Frame()}, crop_bars=True))
    samples = made.by_key()
    for rows in list(made.rows.values())[:-1]:
        assert [opened(samples[row["clip_id"]]).size for row in rows[:2]] == [(96, 64), (44, 64)]
        assert "bars are not known" in made.failures()[rows[2]["clip_id"]]


def test_a_damaged_film_costs_the_pictures_that_it_holds_no_more(tmp_path):
    made = Pictured(tmp_path / "out", tmp_path / "films", 3)
    (made.films / "0.mp4").unlink()
    write_video(made.films / "1.mp4", [numbered_frame(k) for k in range(12)], g="9", bf="2")  # half of it is lost
    for number in range(2):
        made.list_file(number, made.films / f"{number}.mp4", readable=number > 0)
    made.pack(config())
    failures = made.failures()
    assert set(failures) == {*made.ids[:3], made.ids[5]}
    assert "cannot be opened" in failures[made.ids[0]] and "no frame in the span" in failures[made.ids[5]]
    assert shown(made.by_key()[made.ids[4]]) == 5, "the clip has lost its last frame, which is not looked at"
    assert set(made.by_key()) == set(made.ids) - set(failures)


def test_proxy_frames_that_are_missing_are_told_before_work(pictured, tmp_path):
    made = copy(pictured, tmp_path)
    made.corpus.path("proxies", part_name(2)).unlink()
    with pytest.raises(ValueError, match=r"proxies.part-00002.* say FORCE=split"):
        made.pack(config())
    shutil.rmtree(made.folder)
    assert made.pack(CONFIG), "videos need none"


def test_a_set_is_described_by_what_matters_to_it(pictured):
    def told(settings):
        return json.dumps(pack.describe(pictured.corpus, settings, "hq")["pack"], sort_keys=True)

    def with_top(settings, **changes):
        return replace(settings, pack=replace(settings.pack, **changes))

    assert told(with_top(config(), crf=30, gop_frames=3, codec="libx265")) == told(config())
    assert told(with_top(config(), image_quality=60)) != told(config())
    assert told(config(image_quality=60)) != told(config())
    assert told(with_top(config(), short_side_px=32)) == told(config(short_side_px=32)) != told(config())
    assert told(with_top(CONFIG, image_quality=60, image_format="webp")) == told(CONFIG)
    assert told(with_top(CONFIG, crf=30)) != told(CONFIG)


def test_force_moves_the_sets_that_are_packed_another_way_now(pictured, tmp_path):
    made = copy(pictured, tmp_path)
    shutil.copytree(made.corpus.folder("verdicts/hq"), made.corpus.folder("verdicts/stills"))
    sets = {"hq": RuleSet(), "stills": RuleSet(pack={"mode": "images"})}
    before = replace(CONFIG, sets=sets)
    for name in sets:
        claim(made.corpus, "pack", f"shards/{name}", pack.describe(made.corpus, before, name))
    after = replace(before, sets=sets | {"stills": RuleSet(pack={"mode": "images", "image_format": "webp"})})
    claim(made.corpus, "pack", "shards/hq", pack.describe(made.corpus, after, "hq"))
    with pytest.raises(ValueError, match=r"stills was made with another .*pack\.image_format was 'jpg', is 'webp'"):
        claim(made.corpus, "pack", "shards/stills", pack.describe(made.corpus, after, "stills"))
    force(made.corpus, after, "pack")
    assert made.corpus.folder("shards/hq").exists() and not made.corpus.folder("shards/stills").exists()


REFUSED = [
    ({"fps": 8.0}, {}, r"^sets\.hq\.pack\.fps: is for videos"),
    ({"audio": "copy"}, {}, r"^sets\.hq\.pack\.audio: is for videos"),
    ({}, {"audio": "copy"}, r"^sets\.hq\.pack\.audio: is for videos"),
    ({"buckets": [Bucket(2, 64, 64, 8.0)]}, {}, r"^sets\.hq\.pack\.buckets: 2x64x64@8 does not fit"),
    ({"buckets": [Bucket(1, 64, 64, 8.0)]}, {}, r"^sets\.hq\.pack\.buckets: 1x64x64@8 does not fit"),
    ({"buckets": [Bucket(2, 64, 64)]}, {}, r"^sets\.hq\.pack\.buckets: 2x64x64 does not fit"),
    ({"image_quality": 101}, {}, r"^sets\.hq\.pack\.image_quality: lies in 1\.\.100"),
    ({"crop_bars": True}, {}, r"^sets\.hq\.pack\.crop_bars: needs the scorer"),
]


@pytest.mark.parametrize(("mine", "top", "words"), REFUSED)
def test_what_pictures_cannot_have_is_refused_with_its_key(mine, top, words):
    with pytest.raises(ValueError, match=words):
        CurateConfig(pack=PackConfig(**top), sets={"hq": RuleSet(pack={"mode": "images"} | mine)})


def test_what_is_refused_without_a_set_of_its_own():
    for wrong in ({"mode": "images", "fps": 8.0}, {"image_quality": 0}, {"buckets": [Bucket(1, 64, 64)]}):
        with pytest.raises(ValueError, match=r"^pack\."):
            PackConfig(**wrong)


@pytest.mark.parametrize("wrong", [{"short_side_px": 1}, {"samples_per_shard": 0}, {"val_share": 2.0}])
def test_what_is_wrong_is_told_before_work(pictured, tmp_path, wrong):
    made = copy(pictured, tmp_path)
    with pytest.raises(ValueError, match=rf"^sets\.hq\.pack.*{next(iter(wrong))}"):
        made.pack(config(**wrong))
    assert not made.folder.exists()
