"""A set that grows: numbered generations, each a function of those before it, and nothing that stands is touched."""

import shutil
import time
from dataclasses import replace
from multiprocessing import get_context

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from handmade import put_dedup
from test_pack import CONFIG, Made, die_after, video_id

from curation import accounts, filter, funnel, pack
from curation.config import Rule, RuleSet
from curation.force import force
from curation.generations import CHOSEN
from curation.tables import Corpus, part_name
from shards.describe import describe
from shards.manifest import generation_of, shard_name, split_folders
from shards.reader import ShardSet
from shards.schema import CAPTIONS
from shards.store import read_json, remove_temporaries, write_json
from shards.verify import verify

SHARDS = ("train/", "val/")


def clone(made, root):
    """The same corpus, films shared, elsewhere."""
    shutil.copytree(made.corpus.root, root)
    other = object.__new__(Made)
    other.__dict__ = made.__dict__ | {"corpus": Corpus(root), "rows": dict(made.rows)}
    return other


def grow(made, *numbers, rejected=()):
    """More videos, and verdicts that keep all clips but these."""
    for number in numbers:
        made.add(number)
    made.judge({clip_id: ["flow:min"] for clip_id in rejected})
    rules = made.corpus.folder("verdicts/hq") / "rules.json"
    write_json(rules, read_json(rules) | {"kept_hash": f"{len(made.ids)} {sorted(rejected)}"})


def standing(made):
    """Bytes of tars and indexes."""
    return {name: data for name, data in made.files().items() if name.endswith((".tar", ".parquet"))}


def keys(made):
    return {split: set(ShardSet(made.folder / split).keys) for split in ("train", "val")}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Four videos, packed."""
    made = Made(tmp_path_factory.mktemp("grown") / "out", tmp_path_factory.mktemp("films"), 4)
    made.pack()
    return made


@pytest.fixture(scope="module")
def second(first, tmp_path_factory):
    """Two videos more, in a generation of their own."""
    made = clone(first, tmp_path_factory.mktemp("second") / "out")
    grow(made, 4, 5)
    made.done = made.pack()
    return made


def test_new_clips_make_a_generation_and_what_stands_is_not_touched(first, second):
    before, after = standing(first), standing(second)
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[1][:5] for name in set(after) - set(before) if name.startswith(SHARDS)} == {"g001-"}
    assert all(part.split("/")[1].startswith("g001-") for part in second.done)
    assert keys(second)["train"] | keys(second)["val"] == set(second.ids)
    manifest = read_json(second.folder / "manifest.json")
    assert manifest["kept"] == 18 == manifest["train"] + manifest["val"] and manifest["generations"] == 2
    assert manifest["no_longer_kept"] == 0
    for split in ("train", "val"):
        shards = read_json(second.folder / split / "manifest.json")["shards"]
        assert [s["generation"] for s in shards] == [int(s["name"].startswith("g001")) for s in shards]
        old = read_json(first.folder / split / "manifest.json")["shards"]
        assert shards[: len(old)] == old
    assert [checked for checked in verify(second.folder) if checked.problem] == []


def test_the_plan_lists_the_generations(first, second):
    planned = read_json(second.folder / "plan/plan.json")
    assert [(each["number"], each["kept"]) for each in planned["generations"]] == [(0, 12), (1, 6)]
    assert planned["generations"][0] == read_json(first.folder / "plan/plan.json")["generations"][0]
    assert len({each["clips_hash"] for each in planned["generations"]}) == 2
    assert len({each["config_hash"] for each in planned["generations"]}) == 1
    chosen = pq.ParquetFile(second.folder / "plan/generation-001.parquet").read()
    assert chosen.schema.equals(CHOSEN) and set(chosen["video_id"].to_pylist()) == {video_id(4), video_id(5)}


def test_a_run_that_finds_nothing_new_does_nothing(second, tmp_path):
    made = clone(second, tmp_path / "out")
    before = {name: (made.folder / name).stat().st_mtime_ns for name in made.files()}
    assert made.pack() == {}
    assert {name: (made.folder / name).stat().st_mtime_ns for name in made.files()} == before


def test_the_mapping_of_motion_is_that_of_the_first_generation(first, tmp_path):
    made = clone(first, tmp_path / "out")
    grow(made, 4)
    path = made.corpus.path("scores/motion", part_name(4))
    scores = pq.ParquetFile(path).read()
    steps = pa.array([3.0, 30.0, 300.0], pa.float32())
    made.corpus.write("scores/motion", part_name(4), scores.set_column(2, scores.schema.field(2), steps), scores.schema)
    made.pack()
    samples = {sample.key: sample.meta for split in ("train", "val") for sample in made.samples(split)}
    buckets = [samples[row["clip_id"]]["motion_bucket"] for row in made.rows[4]]
    assert buckets == [213, 213, 213], "the fastest of the first generation, and none faster was known"
    assert read_json(made.folder / "plan/plan.json")["motion"] == read_json(first.folder / "plan/plan.json")["motion"]


def test_the_same_steps_elsewhere_give_the_same_bytes(first, second, tmp_path):
    made = clone(first, tmp_path / "out")
    shutil.rmtree(made.folder)
    made.judge({})
    made.pack()
    grow(made, 4, 5)
    made.pack()
    assert made.files() == second.files()


def test_a_run_killed_amid_a_generation_goes_on_to_the_same_bytes(first, second, tmp_path, monkeypatch):
    made = clone(first, tmp_path / "out")
    grow(made, 4, 5)
    done = die_after(1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        made.pack()
    monkeypatch.undo()
    assert keys(made) == keys(first), "a reader sees the generations that are whole"
    told = accounts.count(made.corpus, [], ["hq"])[-1]
    assert told.holds and told.parts[-1].what == "not yet packed" and told.parts[-1].count > 0
    assert set(made.pack()) == set(second.done) - set(done)
    assert made.files() == second.files()


def pack_again(root):
    made = object.__new__(Made)
    made.corpus = Corpus(root)
    made.pack()


def test_a_process_killed_with_9_amid_a_generation_leaves_nothing_that_shows(first, second, tmp_path):
    made = clone(first, tmp_path / "out")
    grow(made, 4, 5)
    process = get_context("spawn").Process(target=pack_again, args=(made.corpus.root,))
    process.start()
    deadline = time.monotonic() + 60
    while not list(made.folder.glob("*/g001-*.tar")) and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.join()
    assert process.exitcode == -9 and list(made.folder.glob("*/g001-*.tar")), "it was killed amid its work"
    made.pack()
    remove_temporaries(made.folder)
    assert made.files() == second.files()


@pytest.mark.parametrize("lost", ["train/manifest.json", "manifest.json", "plan/plan.json"])
def test_a_run_killed_at_its_end_or_its_start_is_made_whole(first, second, tmp_path, lost):
    made = clone(second, tmp_path / "out")
    shutil.copy(first.folder / lost, made.folder / lost)
    if lost == "train/manifest.json":
        shutil.copy(first.folder / "manifest.json", made.folder / "manifest.json")
    assert made.pack() == {}
    assert made.files() == second.files()


def test_a_reader_never_sees_splits_of_two_generations(first, second, tmp_path, monkeypatch):
    made, write = clone(first, tmp_path / "out"), pack.write_manifest
    grow(made, 4, 5)

    def dying(folder, *rest):
        if folder.name == "val":
            raise KeyboardInterrupt
        return write(folder, *rest)

    monkeypatch.setattr(pack, "write_manifest", dying)
    with pytest.raises(KeyboardInterrupt):
        made.pack()
    monkeypatch.undo()
    told = {split: read_json(made.folder / split / "manifest.json") for split in ("train", "val")}
    assert told["train"] == read_json(second.folder / "train/manifest.json")
    assert told["val"] == read_json(first.folder / "val/manifest.json")
    with pytest.raises(ValueError, match=r"manifest.json is missing: .* is no finished shard set"):
        split_folders(made.folder)
    assert made.pack() == {} and made.files() == second.files()


def filtered(made, limit):
    """Verdicts by this limit, as the job gives them."""
    sets = {"hq": RuleSet([Rule("steps", min=limit)])}
    return filter.run(made.corpus, replace(CONFIG, sets=sets))["hq"]["kept"]


def test_another_threshold_makes_a_generation_and_a_stricter_one_moves_nothing(first, tmp_path, caplog):
    made = clone(first, tmp_path / "out")
    shutil.rmtree(made.folder)
    assert filtered(made, 3) == 4 and made.pack()
    before = standing(made)
    assert filtered(made, 2) == 8 and made.pack()
    after = standing(made)
    assert before.items() <= after.items() and len(keys(made)["train"] | keys(made)["val"]) == 8
    assert {name.split("/")[1][:5] for name in after.keys() - before if name.startswith(SHARDS)} == {"g001-"}
    assert [checked for checked in verify(made.folder) if checked.problem] == []
    generations = read_json(made.folder / "plan/plan.json")["generations"]
    assert [each["kept"] for each in generations] == [4, 4]
    assert len({each["rules_hash"] for each in generations}) == 2
    assert generations[1]["rules_hash"] == read_json(made.corpus.folder("verdicts/hq") / "rules.json")["config_hash"]
    assert "NO LONGER KEPT" not in caplog.text
    assert filtered(made, 3) == 4 and made.pack() == {} and standing(made) == after
    assert "4 of its 8 clips are NO LONGER KEPT" in caplog.text
    assert read_json(made.folder / "plan/plan.json")["generations"] == generations


def test_clips_that_are_no_longer_kept_stay_and_are_told(second, tmp_path, caplog):
    made = clone(second, tmp_path / "out")
    before = standing(made)
    grow(made, rejected=made.ids[:4])
    assert made.pack() == {} and standing(made) == before
    assert "4 of its 18 clips are NO LONGER KEPT" in caplog.text
    assert read_json(made.folder / "manifest.json")["no_longer_kept"] == 4
    told = accounts.count(made.corpus, [], ["hq"])[-1]
    assert told.holds and told.whole.what == "kept now or once" and told.whole.count == 18
    grow(made, 6, rejected=[*made.ids[:4], f"{video_id(6)}-000000000-000000500"])
    assert {part.split("/")[1][:4] for part in made.pack()} == {"g002"}
    manifest = read_json(made.folder / "manifest.json")
    assert (manifest["kept"], manifest["no_longer_kept"], manifest["generations"]) == (20, 4, 3)
    told = accounts.count(made.corpus, [], ["hq"])[-1]
    assert told.holds and told.whole.count == 20 and not funnel.broken([told])
    grow(made, rejected=[f"{video_id(6)}-000000000-000000500"])
    assert made.pack() == {} and read_json(made.folder / "manifest.json")["no_longer_kept"] == 0


def test_a_clip_that_is_kept_later_comes_later(first, tmp_path):
    made = clone(first, tmp_path / "out")
    shutil.rmtree(made.folder)
    grow(made, rejected=made.ids[:1])
    made.pack()
    grow(made)
    assert len(made.pack()) == 1 and len(keys(made)["train"] | keys(made)["val"]) == 12
    sides = {key[:20]: split for split, found in keys(made).items() for key in found}
    assert all(sides[key[:20]] == split for split, found in keys(made).items() for key in found)


def test_blocked_clips_must_not_stay(second, tmp_path):
    made = clone(second, tmp_path / "out")
    assert not pack.is_outdated(made.corpus, CONFIG, "hq")
    made.judge({made.ids[0]: ["blocked"]})
    with pytest.raises(ValueError, match="holds 1 clips that are on the block list now; say FORCE=pack"):
        made.pack()
    assert pack.is_outdated(made.corpus, CONFIG, "hq")


def test_force_takes_the_sets_that_cannot_grow(second, tmp_path):
    made = clone(second, tmp_path / "out")
    shutil.copytree(made.folder, made.corpus.folder("shards/other"))
    shutil.copytree(made.corpus.folder("verdicts/hq"), made.corpus.folder("verdicts/other"))
    sets = replace(CONFIG, sets={"hq": RuleSet(), "other": RuleSet()})
    for name in sets.sets:
        record = {"config": pack.describe(made.corpus, CONFIG, name)}
        write_json(made.corpus.folder(f"shards/{name}") / "config.json", record)
    made.judge({made.ids[0]: ["blocked"]})
    force(made.corpus, sets, "pack")
    assert not made.folder.exists() and made.corpus.folder("shards/other").exists()


def test_a_caption_table_may_grow_and_a_caption_of_a_later_generation_counts_as_well(second, tmp_path):
    made = clone(second, tmp_path / "out")
    made.add(6)
    made.judge({})
    made.pack()
    rows = made.corpus.read("captions", part_name(4)).to_pylist()
    rows[0]["text"] = "other words"
    made.corpus.write("captions", part_name(4), pa.Table.from_pylist(rows, schema=CAPTIONS), CAPTIONS)
    with pytest.raises(ValueError, match="other captions of clips of generation 1"):
        made.pack()


def test_later_duplicates_stand_on_no_other_side(first, tmp_path, caplog):
    made = clone(first, tmp_path / "out")
    of = {split: next(iter(found))[:20] for split, found in keys(made).items()}
    train, val = (int(of[split], 16) for split in ("train", "val"))
    groups = {train: "a", val: "b"}
    for number in (4, 5, 6):
        made.add(number)
    for number in (train, val):
        put_dedup(made.corpus, number, ids_of(made, number), [groups[number], None, None], [0, None, None])
    put_dedup(made.corpus, 4, ids_of(made, 4), ["a", None, None], [1, None, None])
    put_dedup(made.corpus, 5, ids_of(made, 5), ["b", None, None], [1, None, None])
    put_dedup(made.corpus, 6, ids_of(made, 6), ["a", "b", None], [2, 2, None])
    made.judge({})
    made.pack()
    assert set(ids_of(made, 4)) <= keys(made)["train"] and set(ids_of(made, 5)) <= keys(made)["val"]
    failures = made.failures()
    assert set(failures) == set(ids_of(made, 6)) and failures[ids_of(made, 6)[0]].startswith(
        "duplicates on both sides:"
    )
    assert "3 of 21 kept clips FAILED" in caplog.text
    told = accounts.count(made.corpus, [], ["hq"])[-1]
    assert told.holds and told.parts[2].reasons == {"duplicates on both sides": 3}
    before = made.files()
    assert made.pack() == {} and made.files() == before


def ids_of(made, number):
    return [row["clip_id"] for row in made.rows[number]]


def test_an_empty_set_grows(first, tmp_path):
    made = clone(first, tmp_path / "out")
    shutil.rmtree(made.folder)
    made.judge({clip_id: ["flow:min"] for clip_id in made.ids})
    assert made.pack() == {}
    made.judge({})
    assert all(generation_of(part.split("/")[1]) == 1 for part in made.pack())
    assert len(keys(made)["train"]) + len(keys(made)["val"]) == 12


def test_describe_lists_the_generations(first, second):
    rows = [line.split() for line in describe(second.folder)]
    at = rows.index(["generation", "shards", "samples", "size"])
    sizes = [[s for s in read_json(second.folder / split / "manifest.json")["shards"]] for split in ("train", "val")]
    of = [[s for s in [*sizes[0], *sizes[1]] if s["generation"] == g] for g in (0, 1)]
    wanted = [[str(g), str(len(of[g])), str(sum(s["num_samples"] for s in of[g]))] for g in (0, 1)]
    assert [row[:3] for row in rows[at + 1 : at + 3]] == wanted
    assert not any(line.startswith("generation ") for line in describe(first.folder))


def test_names_sort_in_the_order_of_packing():
    names = [shard_name(g, n) for g in (0, 1, 2, 10, 999) for n in (0, 1, 99999)]
    assert names == sorted(names) and names[0] == "00000" and names[3] == "g001-00000"
    assert [generation_of(name) for name in names[::3]] == [0, 1, 2, 10, 999]


def test_generations_come_to_an_end(first, tmp_path, monkeypatch):
    made = clone(first, tmp_path / "out")
    grow(made, 4)
    monkeypatch.setattr(pack, "MAX_GENERATIONS", 1)
    with pytest.raises(ValueError, match="has 1 generations, as many as it can; say FORCE=pack"):
        made.pack()
