"""An ablation from end to end: equal trainings but for what arms keep, resumed trial by trial, judged, and told."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tiny_recipe import TinyRecipe

from shards.reader import ShardSet
from shards.schema import VERDICTS
from training.__main__ import main
from training.ablation.results import VALUES
from training.evaluation.tables import read_rows
from training.metrics.temporal_flickering import TemporalFlickering

METRIC = f"{TemporalFlickering.__module__}.{TemporalFlickering.__name__}"
ARMS = {
    "raw": [],
    "full": [{"column": "motion", "min": 0.1}],
    "motion_bottom_50": [{"column": "motion", "drop_bottom": 0.5}],
}


class Sweep:
    """A corpus after a sweep: six clips, of which each arm but `raw` keeps four; and a recipe that judges."""

    def __init__(self, root):
        self.tiny, self.corpus, self.out = TinyRecipe(root), root, root / "ablation"
        self.aside = root / "aside" / "ablation-1"
        self.tiny.pack()
        shutil.copytree(self.tiny.shards / "pretrain", self.tiny.shards / "sweep_raw")
        keys = ShardSet(self.tiny.shards / "sweep_raw" / "train").index["key"].to_pylist()
        for number, (arm, rules) in enumerate(ARMS.items()):
            gone = keys[number : number + 2] if rules else []
            self._write(arm, {key: ["motion"] if key in gone else [] for key in keys}, rules)
        (root / "config.yaml").write_text(yaml.safe_dump({"out": str(root), "sets": {"pretrain": {"rules": []}}}))
        base = self.tiny.recipe / "base.yaml"
        told = {"evaluation": {"metrics": [{"class_path": METRIC}], "num_videos": 2, "batch": 2}}
        base.write_text(yaml.safe_dump(yaml.safe_load(base.read_text()) | told))

    def _write(self, arm, rejected, rules):
        folder = self.corpus / "verdicts" / f"sweep_{arm}"
        folder.mkdir(parents=True)
        rows = [{"clip_id": key, "rejected_by": reasons} for key, reasons in rejected.items()]
        pq.write_table(pa.Table.from_pylist(rows, schema=VERDICTS), folder / "part-00000.parquet")
        kept = sum(not reasons for reasons in rejected.values())
        counts = {"clips": len(rows), "kept": kept, "rejected": len(rows) - kept}
        (folder / "rules.json").write_text(json.dumps({"rules": rules, "duplicates": "best", "counts": counts}))

    def ablate(self, *arguments):
        told = ("--corpus", str(self.corpus), "--judge", "temporal_flickering", "--engine", "local", "--seeds", "2")
        recipe = ("--recipe", str(self.tiny.recipe), "--runs", str(self.out))
        return main(["ablate", *recipe, *told, *arguments])

    def encode(self, *arguments):
        """What `make ablate` encodes: the latents of the stage that is compared."""
        told = ("--recipe", str(self.tiny.recipe), "--stage", "2", "--out", str(self.corpus / "latents"))
        return main(["encode", *told, "--data.mixture", '{"sweep_raw": 1}', *arguments])

    def ablate_on_latents(self):
        return self.ablate("--seeds", "1", "--arms", "raw,full", "--data.latents", str(self.corpus / "latents"))

    def read_latents(self, run):
        return "latents" in json.loads((self.out / run / "stage.json").read_text())["made_from"]

    def trained_on(self, trial):
        skipped = pq.read_table(self.out / trial / "skipped.parquet")
        return 6 - skipped["reason"].to_pylist().count("not in data.kept")


@pytest.fixture
def swept(tmp_path):
    return Sweep(tmp_path)


@pytest.mark.slow
def test_arms_differ_in_what_they_train_on_alone(swept, capsys):
    assert swept.ablate() == 0
    told = capsys.readouterr().out
    (swept.out.parent / "told.txt").write_text(told)
    assert "3 arms x 2 seeds = 6 trials" in told and "✓ raw-0 (1 of 6)" in told
    assert {trial: swept.trained_on(trial) for trial in ("raw-0", "full-1")} == {"raw-0": 6, "full-1": 4}
    records = [json.loads((swept.out / trial / "stage.json").read_text()) for trial in ("raw-1", "full-1")]
    raw, full = (record["made_from"] for record in records)
    assert {key for key in raw if raw[key] != full[key]} == {"kept"}
    rows = read_rows(swept.out / "values.parquet", VALUES)
    assert len(rows) == 6 * 2 and {row["name"] for row in rows} == {"held_out_loss", "temporal_flickering"}
    assert len({row["value"] for row in rows if row["name"] == "held_out_loss"}) == 6
    page = (swept.out / "ablation.html").read_text()
    assert "motion_bottom_50" in page and page.count("<svg") == 3 and "NaN" not in page

    _check_rules(swept)


def _check_rules(swept):
    """Rules have won only where an arm's whole lead is above 0; then they are those of the best such arm."""
    ratings = pq.read_table(swept.out / "ratings.parquet").to_pylist()
    beating = [row for row in ratings if row["lead_low"] is not None and row["lead_low"] > 0]
    assert (swept.out / "rules.yaml").exists() == bool(beating)
    assert ("no arm beats the raw set" in (swept.out.parent / "told.txt").read_text()) == (not beating)


@pytest.mark.slow
def test_what_is_done_is_not_done_again(swept, monkeypatch, capsys):
    assert swept.ablate("--seeds", "1", "--arms", "raw,full") == 0
    weights = (swept.out / "raw-0" / "ema.safetensors").read_bytes()
    assert swept.ablate("--arms", "raw,full") == 0
    assert (swept.out / "raw-0" / "ema.safetensors").read_bytes() == weights
    values = (swept.out / "values.parquet").read_bytes()
    monkeypatch.setattr("training.module.StageModule.training_step", None)
    monkeypatch.setattr("training.module.StageModule.generate", None)
    assert swept.ablate("--arms", "raw,full") == 0
    assert (swept.out / "values.parquet").read_bytes() == values


def test_a_trial_that_fails_stops_no_other_and_counts_nowhere(swept, capsys):
    (swept.corpus / "verdicts" / "sweep_full" / "part-00000.parquet").write_bytes(b"PAR1")
    assert swept.ablate("--seeds", "1") == 1
    told = capsys.readouterr()
    assert "✗ full-0" in told.out and "holds no verdicts" in told.out and "1 trials failed" in told.err
    assert {row["arm"] for row in read_rows(swept.out / "values.parquet", VALUES)} == {"raw", "motion_bottom_50"}
    page = (swept.out / "ablation.html").read_text()
    assert "Trials that failed" in page and "0 of 1" in page
    stage = swept.tiny.recipe / "2.yaml"
    stage.write_text(stage.read_text().replace("a cat", "a dog") + "num_samples: 8\n")
    assert swept.ablate("--seeds", "1", "--arms", "raw,motion_bottom_50") == 1  # what stands was trained otherwise
    told = capsys.readouterr()
    assert "num_samples" in told.out and "no trial" in told.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--arms", "raw,blur"), "no subset 'blur'"),
        (("--arms", "full"), "'raw' belongs to every ablation"),
        (("--seeds", "0"), "--seeds is at least 1"),
        (("--stage", "9"), "no stage '9'"),
        (("--corpus", "nowhere"), "make sweep"),
        (("--model.speed", "3"), "speed"),
        (("--evaluation.metrics", "[]"), "such are: none"),
        (("--judge", "sharpness"), "--judge sharpness is no metric"),
    ],
)
def test_what_cannot_be_compared_is_said_before_any_training(swept, capsys, arguments, words):
    assert swept.ablate(*arguments) == 1
    assert words in capsys.readouterr().err
    assert not list(swept.out.glob("*/stage.json"))


@pytest.mark.parametrize(("height", "fits"), [(16, True), (24, False)])
def test_a_stage_before_reads_the_latents_of_the_compared_one_where_they_fit(swept, height, fits):
    picture = {"data": {"buckets": [{"num_frames": 1, "height": height, "width": 24}]}}
    swept.tiny.write("1", picture | {"model": {"trainable": ["^spatial/"]}})
    assert swept.encode() == 0 and swept.ablate_on_latents() == 0
    assert [swept.read_latents(run) for run in ("1", "raw-0", "full-0")] == [fits, True, True]


def test_stale_latents_are_told_before_the_stages_before_train(swept, capsys):
    assert swept.encode("--data.buckets", "[{num_frames: 4, height: 24, width: 24}]") == 0
    assert swept.ablate_on_latents() == 1
    assert "is stale" in capsys.readouterr().err and not (swept.out / "1").exists()


def test_a_stage_that_is_given_frames_is_compared_from_latents_too(swept):
    model = {"conditioning": {"given": {"frames": "ends", "embedding": False}}}
    model |= {"denoiser": {"init_args": {"in_channels": 9, "num_given_channels": 4}}}
    video = {"data": {"buckets": [{"num_frames": 4, "height": 16, "width": 24}]}}
    swept.tiny.write("2", video | {"init_from": "1", "model": model})
    assert swept.encode() == 0 and swept.ablate_on_latents() == 0
    assert swept.read_latents("raw-0") and swept.read_latents("1")


def test_a_stage_of_several_sizes_is_compared_from_the_packed_set(swept, capsys):
    sizes = [{"num_frames": 4, "height": 16, "width": 24}, {"num_frames": 4, "height": 24, "width": 16}]
    swept.tiny.write("2", {"data": {"buckets": sizes}, "init_from": "1"})
    assert swept.encode() == 0
    assert "nothing to encode" in capsys.readouterr().out and not (swept.corpus / "latents").exists()
    assert swept.ablate_on_latents() == 0
    assert not swept.read_latents("raw-0")


def test_a_folder_is_of_one_stage_until_it_is_moved_aside(swept, capsys):
    assert swept.ablate("--seeds", "1", "--arms", "raw,full", "--stage", "1") == 0
    capsys.readouterr()
    again = ("--seeds", "1", "--arms", "raw,full", "--num_samples", "8")
    assert swept.ablate(*again) == 1
    told = capsys.readouterr().err
    assert "trials of stage 1 of recipe tiny" in told and "OUT=" in told and "FORCE=1" in told
    assert swept.ablate(*again, "--force", "--model.speed", "3") == 1
    assert (swept.out / "raw-0" / "stage.json").exists(), "what is wrong is said before anything is moved"
    assert swept.ablate(*again, "--force") == 0
    old, new = (yaml.safe_load((folder / "raw-0" / "config.yaml").read_text()) for folder in (swept.aside, swept.out))
    assert (old["num_samples"], new["num_samples"]) == (16, 8)
    assert not (swept.out / "aside").exists() and (swept.aside / "ablation.html").exists()


@pytest.mark.slow
def test_trials_run_side_by_side_on_ray(swept, capsys):
    assert swept.ablate("--engine", "ray", "--arms", "raw,full") == 0
    assert capsys.readouterr().out.count("✓ ") >= 4
    assert {row["seed"] for row in read_rows(swept.out / "values.parquet", VALUES)} == {0, 1}
