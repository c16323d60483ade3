"""Metrics during training: those of an evaluation, over all ranks, without a change to what is learnt."""

import subprocess
import sys

import pytest
import torch
import yaml
from clipset import gray_clip, put_set
from test_image_to_video import GivenRecipe
from tiny_recipe import TinyRecipe

from training.__main__ import main
from training.callbacks.csv_log import read_log
from training.config import build_stage
from training.evaluation.real_videos import RealVideos
from training.evaluation.tables import ON_THE_WAY, read_rows
from training.fit import load_weights
from training.metrics.metric import Videos
from training.metrics.temporal_flickering import TemporalFlickering
from training.module import StageModule
from training.run import Run

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


def sampled_by(tiny, kind):
    """Flickering of the videos that weights of the finished stage give, with the seeds of the evaluation."""
    run = Run(tiny.runs / "2")
    stage = build_stage([run.config])
    load_weights(stage, run.folder / f"{kind}.safetensors")
    stage.model.eval().load_frozen(torch.device("cpu"))
    real = list(RealVideos(stage.data, stage.model.conditioning, 3).read(range(3)))
    captions = [each.caption for each in real]
    frames = stage.model.generate(captions, stage.data.bucket, stage.data.sampling_fps, [5, 6, 7])
    return float(TemporalFlickering().load(torch.device("cpu"))(Videos(frames, captions, 8.0)).mean())


@pytest.mark.parametrize("batch", [1, 2])
def test_figures_are_of_the_averaged_weights_and_the_seeds_of_an_evaluation(tmp_path, batch):
    tiny = tiny_with(tmp_path, every=4, batch=batch)
    assert main(tiny.train("all")) == 0
    rows = rows_of(tiny)
    assert [(row["samples"], row["name"]) for row in rows] == [(4, FLICKER), (4, DISTANCE), (8, FLICKER), (8, DISTANCE)]
    assert [(row["num_fake"], row["num_real"]) for row in rows] == [(3, 0), (3, 3)] * 2
    assert rows[2]["value"] == pytest.approx(sampled_by(tiny, "ema"), abs=1e-4)
    assert abs(rows[2]["value"] - sampled_by(tiny, "raw")) > 1e-3
    log = read_log(tiny.runs / "2" / "log.csv")
    logged = {int(row["samples"]): float(row[f"evaluation/{FLICKER}"]) for row in log if f"evaluation/{FLICKER}" in row}
    assert logged == pytest.approx({row["samples"]: row["value"] for row in rows if row["name"] == FLICKER})


def test_a_run_that_goes_on_keeps_the_figures_of_before(tmp_path, break_at):
    tiny = tiny_with(tmp_path, every=4)
    assert main(tiny.train("1")) == 0
    break_at(4)
    assert main(tiny.train("2")) == 1
    before = rows_of(tiny)
    assert main(tiny.train("2")) == 0
    assert rows_of(tiny)[:2] == before and [row["samples"] for row in rows_of(tiny)] == [4, 4, 8, 8]


def test_a_stage_that_is_given_frames_is_measured_with_those_of_the_real_videos(tmp_path, monkeypatch):
    tiny, seen, generate = GivenRecipe(tmp_path), [], StageModule.generate
    tiny.pack(motion_bucket=7)
    tell(tiny, every=8, num_videos=2, batch=2)
    assert main(tiny.train("1")) == 0

    def told(self, captions, bucket, fps, seeds, given=None):
        seen.append((list(seeds), given))
        return generate(self, captions, bucket, fps, seeds, given)

    monkeypatch.setattr(StageModule, "generate", told)
    assert main(tiny.train("2", "--watch.captions", "[]")) == 0
    run = build_stage([Run(tiny.runs / "2").config])
    real = list(RealVideos(run.data, run.model.conditioning, 2).read(range(2)))
    assert {tuple(seeds) for seeds, _ in seen} == {(5, 6)}
    assert all(torch.equal(given[:, 0], torch.stack([each.frames[0] for each in real])) for _, given in seen)
    assert all(given.untyped_storage().nbytes() == given.numel() for _, given in seen)


def test_weights_are_those_of_a_training_that_is_not_looked_at(tmp_path):
    weights = []
    for every in (0, 4):
        tiny = tiny_with(tmp_path / str(every), every=every)
        assert main(tiny.train("all")) == 0
        weights.append((tiny.runs / "2" / "raw.safetensors").read_bytes())
        assert (tiny.runs / "2" / "metrics.parquet").exists() == bool(every)
    assert weights[0] == weights[1]


def test_what_cannot_be_measured_is_said_before_anything_is_written(tmp_path, capsys):
    tiny = tiny_with(tmp_path, every=4)
    assert main(tiny.train("2", "--init_from", "null", "--evaluation.metrics", "[]")) == 1
    assert "evaluation.metrics names nothing to measure" in capsys.readouterr().err
    put_set(tiny.shards / "pretrain" / "val", [gray_clip(6, num_frames=3)])
    assert main(tiny.train("2", "--init_from", "null")) == 1
    assert "holds out no sample to compare with" in capsys.readouterr().err
    assert not (tiny.runs / "2").exists()


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
