"""Recipes and runs: what is there, what is handed over, what must not have changed."""

import hashlib
from pathlib import Path

import pytest
import yaml

from training.recipe import CONFIGS, Recipe
from training.run import Run, check_same, file_hash, last_finished, versions, weights_of

SHIPPED = sorted(path.parent for path in CONFIGS.glob("*/base.yaml"))


def recipe_of(root: Path, *stages: str, name="mine") -> Recipe:
    folder = root / name
    folder.mkdir(parents=True)
    for stage in ("base", *stages):
        (folder / f"{stage}.yaml").write_text("{}")
    return Recipe(folder)


def run_of(root: Path, stage: str, finished=True, weights=True, **made_from) -> Run:
    run = Run(root / stage)
    hashes = {"ema.safetensors": hashlib.sha256(b"weights").hexdigest()}
    run.write_record({"finished": finished, "made_from": made_from, "weights": hashes})
    if weights:
        run.ema_weights.write_bytes(b"weights")
    return run


def test_stages_are_the_sorted_files_without_the_base(tmp_path):
    recipe = recipe_of(tmp_path, "3", "2b", "1", "2a")
    (recipe.folder / "notes.md").write_text("")
    assert recipe.stages == ["1", "2a", "2b", "3"]
    assert recipe.files("2b") == [recipe.folder / "base.yaml", recipe.folder / "2b.yaml"]


def test_an_unknown_recipe_lists_those_there_are(tmp_path):
    for name in ("svd", "demo"):
        recipe_of(tmp_path, "1", name=name)
    (tmp_path / "empty").mkdir()
    for call in (lambda r: r.stages, lambda r: r.files("1")):
        with pytest.raises(ValueError, match=r"no recipe 'empty' in .*; there are: demo, svd$"):
            call(Recipe(tmp_path / "empty"))


@pytest.mark.parametrize("stage", ["4", "base", ""])
def test_an_unknown_stage_lists_those_there_are(tmp_path, stage):
    with pytest.raises(ValueError, match=rf"recipe 'mine' has no stage '{stage}'; it has: 1, 2$"):
        recipe_of(tmp_path, "2", "1").files(stage)


def test_weights_are_those_of_a_finished_stage(tmp_path):
    assert weights_of(run_of(tmp_path, "1"), "2") == tmp_path / "1" / "ema.safetensors"


def test_stages_come_after_those_that_they_start_from(tmp_path):
    recipe = recipe_of(tmp_path, "1", "2", "10")
    (recipe.folder / "10.yaml").write_text('init_from: "2"')
    (recipe.folder / "2.yaml").write_text('init_from: "1"')
    assert recipe.stages == ["1", "2", "10"]


def test_weights_of_a_stage_that_has_not_run_to_its_end_are_refused(tmp_path):
    words = r"^stage 2 starts from stage 1, which {} in .*: make train STAGE=1$"
    with pytest.raises(ValueError, match=words.format("has not run")):
        weights_of(Run(tmp_path / "1"), "stage 2")
    with pytest.raises(ValueError, match=words.format("is not finished")):
        weights_of(run_of(tmp_path, "1", finished=False), "stage 2")


def test_weights_that_are_gone_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"1/ema\.safetensors is missing: .*FORCE=1 STAGE=1"):
        weights_of(run_of(tmp_path, "1", weights=False), "2")


def test_the_last_finished_stage_is_the_last_of_the_recipe(tmp_path):
    recipe, runs = recipe_of(tmp_path, "1", "2", "3"), tmp_path / "runs"
    with pytest.raises(ValueError, match=r"no stage is finished in .*runs: make train STAGE=1, with RECIPE="):
        last_finished(recipe, runs)
    for stage, finished in (("3", False), ("2", True), ("1", True), ("4", True)):  # 4 is not of the recipe
        run_of(runs, stage, finished)
    assert last_finished(recipe, runs) == Run(runs / "2")


def test_a_stage_may_go_on_with_what_it_was_begun_with(tmp_path):
    settings = {"a": 1, "b": [1, 2], "c": None, "d": "x"}
    check_same(Run(tmp_path / "0"), settings)  # not begun
    check_same(run_of(tmp_path, "1", finished=False, **settings), settings)


def test_what_differs_is_named_with_both_values(tmp_path):
    run = run_of(tmp_path, "1", kept=1, changed=0.5, gone="old", nested=[1])
    with pytest.raises(ValueError, match=r"1 was begun with something else") as caught:
        check_same(run, {"kept": 1, "changed": 0.25, "new": True, "nested": [2]})
    lines = ["  changed: 0.5 -> 0.25", "  gone: 'old' -> None", "  nested: [1] -> [2]", "  new: None -> True"]
    assert str(caught.value).splitlines()[1:-1] == lines
    assert "stage 1 anew with FORCE=1" in str(caught.value)


def test_runs_are_moved_aside_under_the_next_free_number(tmp_path):
    for number in (1, 2, 3):
        run = run_of(tmp_path, "2a", number=number)
        assert run.move_aside() == tmp_path / "aside" / f"2a-{number}" and not run.folder.exists()
    assert run_of(tmp_path, "1").move_aside().name == "1-1"
    (tmp_path / "aside" / "2a-2").rename(tmp_path / "elsewhere")
    assert run_of(tmp_path, "2a", number=4).move_aside().name == "2a-2"
    moved = Run(tmp_path / "aside" / "2a-3")
    assert moved.record is not None and moved.record["made_from"] == {"number": 3} and moved.ema_weights.exists()


def test_a_run_that_was_not_begun_has_no_record(tmp_path):
    assert Run(tmp_path / "1").record is None and not Run(tmp_path / "1").is_finished
    run = run_of(tmp_path, "1")
    (run.folder / "stage.json").write_text("{")
    with pytest.raises(ValueError, match=r"1/stage\.json is not valid JSON"):
        run.is_finished  # noqa: B018


def test_files_are_told_apart_by_their_bytes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc" * 10**6)
    assert file_hash(path) == hashlib.sha256(b"abc" * 10**6).hexdigest()
    assert set(versions()) >= {"torch", "lightning", "diffusers"}


def test_there_are_recipes():
    assert {"demo", "svd"} <= {folder.name for folder in SHIPPED}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_shipped_stages_start_from_stages_of_the_same_recipe(folder):
    recipe = Recipe(folder)
    starts = {stage: yaml.safe_load(recipe.files(stage)[1].read_text()).get("init_from") for stage in recipe.stages}
    assert set(starts.values()) <= {None, *recipe.stages}, starts
    for stage in recipe.stages:
        chain = [stage]
        while (before := starts[chain[-1]]) is not None:
            assert before not in chain, f"stages start from each other: {chain}"
            chain.append(before)


def test_a_chain_stands_for_stages_in_their_order(tmp_path):
    recipe = recipe_of(tmp_path, "1", "2a", "2b", "3")
    assert recipe.chain("2a") == ["2a"] and recipe.chain("all") == ["1", "2a", "2b", "3"] == recipe.stages
    (recipe.folder / "recipe.yaml").write_text('chains: {"2": [2a, 2b], "3": [2b, "3"]}')
    assert recipe.stages == ["1", "2a", "2b", "3"], "it is no stage"
    assert recipe.chain("2") == ["2a", "2b"] and recipe.chain("3") == ["2b", "3"], "a chain may bear a stage's name"
    with pytest.raises(ValueError, match=r"no stage '4'; it has: 1, 2a, 2b, 3, 2, all$"):
        recipe.chain("4")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('chains: {"2": [2a, 4]}', "'2' names 4; the stages are: 1, 2a"),
        ("chains: {2: [2a]}", "2 is no name, in quotes"),
        ('chains: {"2": 2a}', "is no name, in quotes, with a list"),
        ("chains: [2a]", "may hold"),
        ("- 2a", "may hold"),
        ("base: demo", "may hold `extends: <recipe>` and `chains:`"),
        ("{", "no valid YAML"),
    ],
)
def test_a_wrong_chain_is_told_with_its_file(tmp_path, text, words):
    recipe = recipe_of(tmp_path, "1", "2a")
    (recipe.folder / "recipe.yaml").write_text(text)
    with pytest.raises(ValueError, match=rf"recipe\.yaml.*{words}"):
        recipe.chain("1")


def test_chains_of_shipped_recipes_name_their_stages():
    assert Recipe(CONFIGS / "svd").chain("2") == ["2a", "2b"] and Recipe(CONFIGS / "svd").chain("3") == ["3-t2v"]


def test_a_recipe_that_extends_another_holds_its_differences(tmp_path):
    base = recipe_of(tmp_path, "1", "2", name="base")
    (base.folder / "recipe.yaml").write_text('chains: {both: ["1", "2"]}')
    recipe = recipe_of(tmp_path, "2", "3", name="mine")
    (recipe.folder / "recipe.yaml").write_text('extends: base\nchains: {rest: ["2", "3"]}')
    (base.folder / "2.yaml").write_text('init_from: "1"')
    (recipe.folder / "3.yaml").write_text('init_from: "2"')
    assert recipe.stages == ["1", "2", "3"]
    assert recipe.chain("both") == ["1", "2"] and recipe.chain("rest") == ["2", "3"]
    told = [str(path.relative_to(tmp_path)) for path in recipe.files("2")]
    assert told == ["base/base.yaml", "mine/base.yaml", "base/2.yaml", "mine/2.yaml"], "the later wins"
    assert recipe.files("1") == [base.folder / "base.yaml", recipe.folder / "base.yaml", base.folder / "1.yaml"]


def test_a_recipe_that_extends_itself_or_nothing_is_refused(tmp_path):
    recipe, other = recipe_of(tmp_path, "1"), recipe_of(tmp_path, "1", name="other")
    (recipe.folder / "recipe.yaml").write_text("extends: gone")
    with pytest.raises(ValueError, match=r"no recipe 'gone' in .*; there are: mine, other$"):
        recipe.files("1")
    (recipe.folder / "recipe.yaml").write_text("extends: other")
    (other.folder / "recipe.yaml").write_text("extends: mine")
    with pytest.raises(ValueError, match=r"recipe 'mine' extends itself"):
        recipe.files("1")


def test_what_a_stage_needs_is_not_trained_anew_with_it(tmp_path, monkeypatch):
    import training.__main__ as command
    import training.config
    import training.fit

    recipe = recipe_of(tmp_path, "base-of-it", "it")
    (recipe.folder / "recipe.yaml").write_text("chains: {it: [base-of-it, it]}")
    asked: list[tuple[str, bool]] = []
    monkeypatch.setattr(training.config, "build_stage", lambda files, arguments: None)
    monkeypatch.setattr(training.fit, "train", lambda stage, run, screen, force: asked.append((run.stage, force)))
    told = ["train", "--recipe", str(recipe.folder), "--runs", str(tmp_path / "runs"), "--stage", "it", "--force"]
    assert command.main(told) == 0 and asked == [("base-of-it", False), ("it", True)]
    run_of(tmp_path / "runs", "base-of-it")
    asked.clear()
    assert command.main(told) == 0 and asked == [("it", True)]
