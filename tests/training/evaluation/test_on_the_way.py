"""Metrics during training: those of an evaluation, over all ranks, without a change to what is learnt."""

import subprocess
import sys

import pytest
import yaml
from clipset import gray_clip, put_set
from tiny_recipe import TinyRecipe

from training.__main__ import main
from training.callbacks.csv_log import read_log
from training.evaluation.tables import METRICS, ON_THE_WAY, read_rows

FLICKER, DISTANCE = "temporal_flickering", "proxy_fd"
METRIC_CLASSES = [
    {"class_path": "training.metrics.temporal_flickering.TemporalFlickering"},
    {
        "class_path": "training.metrics.video_net.ProxyFrechetDistance",
        "init_args": {
            "network": {
                "class_path": "training.metrics.video_net.VideoNet",
                "init_args": {"path": "curation/demo/weights/video_net"},
            }
        },
    },
]


def tiny_with(folder, **evaluation):
    folder.mkdir(exist_ok=True)
    tiny = TinyRecipe(folder, samples_per_stage=8)
    tiny.pack()
    put_set(tiny.shards / "pretrain" / "val", [gray_clip(number) for number in (6, 7, 8)])
    tell(tiny, **evaluation)
    return tiny


def tell(tiny, **evaluation):
    path = tiny.recipe / "base.yaml"
    told = {"metrics": METRIC_CLASSES, "num_videos": 3, "batch": 1, "seed": 5} | evaluation
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"evaluation": told}), encoding="utf-8")


def rows_of(tiny):
    return read_rows(tiny.runs / "2" / "metrics.parquet", ON_THE_WAY)


def test_the_last_figures_are_those_of_an_evaluation_but_for_the_files_between(tmp_path):
    tiny = tiny_with(tmp_path, every=4)
    assert main(tiny.train("all")) == 0
    rows = rows_of(tiny)
    assert [(row["samples"], row["name"]) for row in rows] == [(4, FLICKER), (4, DISTANCE), (8, FLICKER), (8, DISTANCE)]
    assert [(row["num_fake"], row["num_real"]) for row in rows] == [(3, 0), (3, 3)] * 2
    assert main(["evaluate", "--recipe", str(tiny.recipe), "--runs", str(tiny.runs)]) == 0
    after = read_rows(tiny.runs / "2" / "evaluation" / "metrics.parquet", METRICS)
    assert rows[2]["value"] == pytest.approx(after[0]["value"], abs=0.02), "H.264 changes pixels a little"
    assert "H.264" in after[0]["protocol"] and "H.264" not in rows[2]["protocol"]
    log = read_log(tiny.runs / "2" / "log.csv")
    logged = {int(row["samples"]): float(row[f"evaluation/{FLICKER}"]) for row in log if f"evaluation/{FLICKER}" in row}
    assert logged == pytest.approx({row["samples"]: row["value"] for row in rows if row["name"] == FLICKER})


def test_weights_are_those_of_a_training_that_is_not_looked_at(tmp_path):
    weights = []
    for every in (0, 4):
        tiny = tiny_with(tmp_path / str(every), every=every)
        assert main(tiny.train("all")) == 0
        weights.append((tiny.runs / "2" / "raw.safetensors").read_bytes())
        assert (tiny.runs / "2" / "metrics.parquet").exists() == bool(every)
    assert weights[0] == weights[1]


def test_a_stage_with_nothing_to_compare_with_stops_before_its_first_step(tmp_path, capsys):
    tiny = tiny_with(tmp_path, every=4)
    put_set(tiny.shards / "pretrain" / "val", [gray_clip(6, num_frames=3)])
    assert main(tiny.train("2", "--init_from", "null")) == 1
    assert "holds out no sample to compare with" in capsys.readouterr().err
    assert not list((tiny.runs / "2").glob("*.ckpt"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_ranks_with_weights_in_shards_measure_what_one_does(tmp_path):
    """Three videos: the second rank has one fewer, and still takes part."""
    rows = []
    two = ("--trainer.devices", "2", "--trainer.strategy", "fsdp2")
    for arguments in (("--trainer.accumulate_grad_batches", "2"), two):
        tiny = tiny_with(tmp_path / arguments[0].strip("-"), every=4)
        rate = ("--model.optimizer.learning_rate", "1e-9")  # rounding must not grow, so that videos are the same
        command = [sys.executable, "-m", "training", *tiny.train("2", "--init_from", "null", *rate, *arguments)]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert run.returncode == 0, run.stdout
        rows.append(rows_of(tiny))
    one, two = rows
    assert [row["num_fake"] for row in two] == [row["num_fake"] for row in one] == [3] * 4
    assert [row["num_real"] for row in two] == [row["num_real"] for row in one]
    assert [row["value"] for row in two] == pytest.approx([row["value"] for row in one], rel=1e-3)
