"""All sets of a corpus put a video, and its duplicates, on one side, however and whenever each of them grows."""

import shutil
from dataclasses import replace

import pytest
from handmade import put_dedup, put_verdicts
from test_pack import CONFIG, Made, video_id

from curation import pack
from curation.config import RuleSet
from curation.force import force
from curation.generations import read_sides
from curation.guard import claim
from curation.set_files import set_files
from curation.sides import is_val
from curation.tables import Corpus
from shards.store import parquet_file, read_json, write_json

SHARE = CONFIG.pack.val_share
VAL = next(number for number in range(1, 99) if is_val(video_id(number), SHARE))
ONE, TWO = [number for number in range(VAL + 1, VAL + 99) if not is_val(video_id(number), SHARE)][:2]
SETS = {"pretrain": {ONE, TWO, VAL}, "hq": {TWO, VAL}}
"""What each set keeps. `VAL` comes later; it is a duplicate of `ONE`, which only one of the sets holds."""


def judge(made):
    for name, kept in SETS.items():
        for number, rows in made.rows.items():
            ids = [row["clip_id"] for row in rows]
            put_verdicts(made.corpus, number, name, ids, [[] if number in kept else ["flow:min"]] * len(ids))
        record = {"config_hash": "rules", "kept_hash": f"{kept & made.rows.keys()}"}
        write_json(made.corpus.folder(f"verdicts/{name}") / "rules.json", record)


def come(made):
    """The new video comes."""
    made.add(VAL)
    for number in (ONE, VAL):
        put_dedup(
            made.corpus, number, [row["clip_id"] for row in made.rows[number]], ["a", None, None], [0] + [None] * 2
        )
    judge(made)


def plan(corpus, *names):
    """Settles what goes where, as the driver does: one set after the other."""
    for name in names:
        description = pack.describe(corpus, CONFIG, name)
        claim(corpus, "pack", f"shards/{name}", description)
        pack.plan(corpus, CONFIG, name, description)


def of_set(corpus, name):
    """Number of a video -> the sides on which this set has clips of it."""
    sides: dict[int, set[str]] = {}
    for part in (files := set_files(corpus, name)).parts():
        with parquet_file(files.plan(part)) as rows:
            for found in rows.read(["video_id"])["video_id"].to_pylist():
                sides.setdefault(int(found, 16), set()).add(part.split("/")[0])
    return sides


def content(corpus):
    paths = [path for path in corpus.folder("shards").rglob("*") if path.is_file()]
    return {str(path.relative_to(corpus.root)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Two videos, one of them in both sets; nothing is packed yet."""
    made = Made(tmp_path_factory.mktemp("sets") / "out", tmp_path_factory.mktemp("films"), 0)
    for number in (ONE, TWO):
        made.add(number)
    judge(made)
    return made


@pytest.fixture
def made(begun, tmp_path):
    """The same elsewhere, films shared."""
    shutil.copytree(begun.corpus.root, tmp_path / "out")
    other = object.__new__(Made)
    other.__dict__ = begun.__dict__ | {"corpus": Corpus(tmp_path / "out"), "rows": dict(begun.rows)}
    return other


def test_the_hash_alone_would_put_the_new_one_on_the_other_side(made):
    come(made)
    plan(made.corpus, "hq")
    assert of_set(made.corpus, "hq")[VAL] == {"val"}


def test_sets_that_grow_agree_in_either_order(made, tmp_path):
    plan(made.corpus, *SETS)
    come(made)
    shutil.copytree(made.corpus.root, tmp_path / "other")
    plan(made.corpus, *SETS)
    assert of_set(made.corpus, "pretrain") == {ONE: {"train"}, TWO: {"train"}, VAL: {"train"}}
    assert of_set(made.corpus, "hq") == {TWO: {"train"}, VAL: {"train"}}
    plan(other := Corpus(tmp_path / "other"), *reversed(SETS))
    assert content(other) == content(made.corpus)


def test_a_set_that_comes_later_takes_the_sides_that_stand(made):
    plan(made.corpus, "pretrain")
    come(made)
    plan(made.corpus, "hq", "pretrain")
    assert of_set(made.corpus, "hq")[VAL] == {"train"} == of_set(made.corpus, "pretrain")[VAL]


def test_one_set_that_is_packed_anew_goes_on_agreeing(made):
    plan(made.corpus, *SETS)
    come(made)
    plan(made.corpus, *SETS)
    put_verdicts(made.corpus, TWO, "hq", [row["clip_id"] for row in made.rows[TWO]], [["blocked"]] * 3)
    force(made.corpus, replace(CONFIG, sets={name: RuleSet() for name in SETS}), "pack")
    assert not made.corpus.folder("shards/hq").exists() and made.corpus.folder("shards/pretrain").exists()
    plan(made.corpus, *SETS)
    assert of_set(made.corpus, "hq") == {VAL: {"train"}}
    assert read_sides(made.corpus) == {video_id(number): "train" for number in (ONE, TWO, VAL)}


@pytest.mark.parametrize("killed_at", ["pretrain", "hq"])
def test_plans_of_a_killed_run_end_in_the_same_bytes(made, tmp_path, monkeypatch, killed_at):
    plan(made.corpus, *SETS)
    come(made)
    shutil.copytree(made.corpus.root, tmp_path / "killed")
    plan(made.corpus, *SETS)
    killed = Corpus(tmp_path / "killed")

    def dying(path, value):
        if path == set_files(killed, killed_at).plan_list:
            raise KeyboardInterrupt
        write_json(path, value)

    monkeypatch.setattr(pack, "write_json", dying)
    with pytest.raises(KeyboardInterrupt):
        plan(killed, *SETS)
    monkeypatch.undo()
    assert content(killed) != content(made.corpus)
    plan(killed, *SETS)
    assert content(killed) == content(made.corpus)


def test_pictures_of_the_user_beside_the_sets_have_no_say(made):
    listed = {"config_hash": "", "generations": [{"parts": ["val/00000"]}]}
    write_json(made.corpus.folder("shards/photos") / "plan" / "plan.json", listed)
    plan(made.corpus, "hq")
    assert read_sides(made.corpus) == {video_id(TWO): "train"}
    assert read_json(set_files(made.corpus, "hq").plan_list)["generations"][0]["kept"] == 3
