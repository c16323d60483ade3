"""`make ablate`: what it curates first, and which stage of which recipe is encoded and compared."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DEMO, JUDGE = "data/demo/corpus", "data/demo/judge/corpus"
DEMO_RUN, JUDGE_RUN = "-m curation run$", f"-m curation run .*--out {JUDGE} "


@pytest.fixture
def clone(tmp_path):
    """A fresh clone whose environment is set up."""
    for name in ("Makefile", "configs", "requirements.lock", "requirements-uv.lock"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".ready").touch()
    return tmp_path


def curate(clone, corpus):
    """Leaves a corpus as if curated."""
    (clone / corpus / "shards/pretrain").mkdir(parents=True)
    (clone / corpus / "shards/pretrain/manifest.json").touch()


def told(clone, *arguments):
    """The commands that would run, a line each."""
    alone = {"PATH": os.environ["PATH"]}  # `make test` tells what it was told
    command = ["make", "--dry-run", "ablate", *arguments]
    done = subprocess.run(command, cwd=clone, env=alone, capture_output=True, text=True, check=True)
    return done.stdout.replace("\\\n", "").splitlines()


def places(lines, *patterns):
    """Numbers of the lines in which each pattern is found, None where it is in none."""
    return [next((i for i, line in enumerate(lines) if re.search(each, line)), None) for each in patterns]


def test_a_fresh_clone_curates_the_demo_and_its_judges_before_the_sweep(clone):
    corpus, judge, sweep, encode, ablate = places(
        told(clone), DEMO_RUN, JUDGE_RUN, f"sweep --out '{DEMO}'", "training encode", "training ablate"
    )
    assert max(corpus, judge) < sweep < encode < ablate


def test_what_stands_is_not_curated_again(clone):
    curate(clone, DEMO)
    curate(clone, JUDGE)
    assert places(told(clone), DEMO_RUN, JUDGE_RUN, "curation sweep") == [None, None, 0]


@pytest.mark.parametrize("recipe", ["demo-ablate", "configs/train/demo-ablate"])
def test_a_corpus_of_the_users_is_left_to_the_user(clone, recipe):
    own, judge = places(told(clone, "CORPUS=/data/mine", f"RECIPE={recipe}"), DEMO_RUN, JUDGE_RUN)
    assert own is None and judge is not None, "the recipe names the judges"


@pytest.mark.parametrize(
    ("arguments", "stage"),
    [
        ((), "2"),
        (("RECIPE=demo-long",), "2"),
        (("RECIPE=svd",), "2b"),
        (("RECIPE=configs/train/svd-small",), "2b"),
        (("RECIPE=svd", "STAGE=2a"), "2a"),
    ],
)
def test_one_stage_is_encoded_and_compared(clone, arguments, stage):
    lines = told(clone, *arguments)
    recipe = dict(each.split("=") for each in arguments).get("RECIPE", "demo-ablate")
    for command in ("encode", "ablate"):
        (line,) = (line for line in lines if f"-m training {command} " in line)
        assert f"--recipe '{recipe}' --stage '{stage}' " in line
    assert places(lines, JUDGE_RUN) == [None] or recipe == "demo-ablate"


@pytest.mark.parametrize(
    ("arguments", "runs", "latents"),
    [
        ((), "runs/demo-ablate", "latents/ablation"),
        (("STAGE=2",), "runs/demo-ablate", "latents/ablation"),
        (("STAGE=1",), "runs/ablation-demo-ablate-1", "latents/ablation-demo-ablate-1"),
        (("RECIPE=demo", "STAGE=2a"), "runs/ablation-demo-2a", "latents/ablation-demo-2a"),
        (("RECIPE=configs/train/demo",), "runs/ablation-demo-2b", "latents/ablation-demo-2b"),
        (("RECIPE=demo", "OUT=/data/mine"), "/data/mine", "latents/ablation-demo-2b"),
    ],
)
def test_each_recipe_and_stage_has_folders_of_its_own(clone, arguments, runs, latents):
    lines = told(clone, *arguments)
    wanted = (f"encode .*--out '{DEMO}/{latents}'$", f"ablate .*--runs '{runs}' --data.latents '{DEMO}/{latents}' ")
    assert None not in places(lines, *wanted), lines


def test_force_starts_the_trials_anew_and_nothing_before_them(clone):
    lines = told(clone, "FORCE=1")
    assert [line for line in lines if "--force" in line] == [lines[-1]] and "training ablate " in lines[-1]
