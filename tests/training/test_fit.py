import json
import shutil
from itertools import pairwise

import pyarrow.parquet as pq
import pytest
import torch
from clipset import gray_clip, overwrite, picture, put_set
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_recipe import FAMILIES, TinyRecipe

from shards.reader import ShardSet
from shards.store import write_json
from training.__main__ import main
from training.config import build_stage
from training.module import StageModule
from training.recipe import Recipe
from training.run import Run


@pytest.fixture
def tiny(tmp_path):
    recipe = TinyRecipe(tmp_path)
    recipe.pack()
    return recipe


def weights(tiny, stage, kind="raw"):
    return (tiny.runs / stage / f"{kind}.safetensors").read_bytes()


@pytest.mark.parametrize("family", FAMILIES)
def test_stages_follow_each_other_and_a_video_can_be_sampled(tmp_path, family, capsys):
    tiny = TinyRecipe(tmp_path, family)
    tiny.pack()
    assert main(tiny.train("1")) == 0
    assert main(tiny.train("2")) == 0
    said = capsys.readouterr().out
    assert "starts from random weights" in said and "starts from the EMA weights of" in said
    first, second = Run(tiny.runs / "1"), Run(tiny.runs / "2")
    assert first.is_finished and second.is_finished and not second.checkpoint.exists()
    assert second.record and first.record
    assert second.record["made_from"]["init_weights"] == first.record["weights"]["ema.safetensors"]
    assert [measured["samples"] for measured in second.record["held_out_loss"]] == [0, 8, 16]
    assert [measured["num_held_out"] for measured in second.record["held_out_loss"]] == [2, 2, 2]
    assert sorted(path.name for path in (tiny.runs / "2" / "videos").iterdir()) == [
        "000000016-0-raw.mp4",
        "000000016-0.mp4",
    ]
    assert main(tiny.sample("a red circle", "--seed", "3")) == 0
    assert {path.name for path in (tiny.runs / "2" / "samples").iterdir()} == {
        "a-red-circle-3.mp4",
        "a-red-circle-3.gif",
        "a-red-circle-3.png",
        "samples.parquet",
    }


def test_the_first_stage_leaves_temporal_layers_bit_equal_and_trains_the_others(tiny):
    stage = build_stage(Recipe(tiny.recipe).files("1"), [])
    before = {name: value.clone() for name, value in stage.model.denoiser.state_dict().items()}
    assert main(tiny.train("1")) == 0
    for kind in ("raw", "ema"):
        after = load_file(tiny.runs / "1" / f"{kind}.safetensors")
        temporal = {name for name in before if stage.model.denoiser.is_temporal(name)}
        assert temporal and all(torch.equal(before[name], after[name]) for name in temporal)
        changed = [name for name in before if name not in temporal and not torch.equal(before[name], after[name])]
        assert len(changed) > 0.9 * (len(before) - len(temporal))


def test_all_stages_follow_each_other_and_those_that_are_finished_are_not_repeated(tiny, capsys):
    assert main(tiny.train("all")) == 0
    made = {stage: weights(tiny, stage) for stage in "12"}
    assert "stage 2 starts from the EMA weights" in capsys.readouterr().out
    shutil.rmtree(tiny.runs / "2")
    assert main(tiny.train("all")) == 0
    assert "stage 1 is finished" in capsys.readouterr().out
    assert {stage: weights(tiny, stage) for stage in "12"} == made


def test_the_next_stage_starts_from_the_average(tiny):
    assert main(tiny.train("1")) == 0
    tiny.write("3", {"init_from": "1", "data": {"buckets": [{"num_frames": 1, "height": 16, "width": 24}]}})
    assert main(tiny.train("3", "--model.optimizer.learning_rate", "1e-30", "--model.optimizer.weight_decay", "0")) == 0
    assert weights(tiny, "3") == weights(tiny, "1", "ema") != weights(tiny, "1")


def test_videos_on_the_way_come_from_the_averaged_and_from_the_raw_weights(tiny, monkeypatch):
    generate, used = StageModule.generate, []

    def noting(self, *arguments):
        used.append({name: weight.clone() for name, weight in self.denoiser.state_dict().items()})
        return generate(self, *arguments)

    monkeypatch.setattr(StageModule, "generate", noting)
    assert main(tiny.train("2", "--init_from", "null")) == 0
    ended = [load_file(tiny.runs / "2" / f"{kind}.safetensors") for kind in ("ema", "raw")]
    assert [list(each) for each in used] == [list(used[0])] * 2
    for weights_used, weights_ended in zip(used, ended, strict=True):
        assert all(torch.equal(weight, weights_ended[name]) for name, weight in weights_used.items())
    assert any(not torch.equal(*pair) for pair in zip(ended[0].values(), ended[1].values(), strict=True))


def test_a_finished_stage_is_not_repeated_and_force_moves_it_aside(tiny, capsys):
    assert main(tiny.train("1")) == 0
    before, at = weights(tiny, "1"), (tiny.runs / "1" / "raw.safetensors").stat().st_mtime_ns
    assert main(tiny.train("1")) == 0
    assert "finished" in capsys.readouterr().out
    assert (tiny.runs / "1" / "raw.safetensors").stat().st_mtime_ns == at
    assert main(tiny.train("1", "--force")) == 0
    assert weights(tiny, "1") == before == (tiny.runs / "aside" / "1-1" / "raw.safetensors").read_bytes()


@pytest.mark.parametrize(("family", "accumulate"), [("svd", "1"), ("svd", "2"), ("cogvideox", "2")])
def test_a_broken_run_goes_on_to_the_same_weights(tmp_path, break_at, family, accumulate):
    tiny, arguments = TinyRecipe(tmp_path, family), ("--trainer.accumulate_grad_batches", accumulate)
    tiny.pack()
    assert main(tiny.train("1", *arguments)) == 0
    whole = {kind: weights(tiny, "1", kind) for kind in ("raw", "ema")}
    history = Run(tiny.runs / "1").record
    tiny.runs = tmp_path / "broken"
    break_at(4, 12, 16)  # the last one between the last checkpoint and the hand-over
    assert [main(tiny.train("1", *arguments)) for _ in range(4)] == [1, 1, 1, 0]
    assert {kind: weights(tiny, "1", kind) for kind in ("raw", "ema")} == whole
    assert Run(tiny.runs / "1").record == history


def test_workers_change_nothing(tiny, tmp_path):
    assert main(tiny.train("1")) == 0
    alone, tiny.runs = weights(tiny, "1"), tmp_path / "workers"
    assert main(tiny.train("1", "--data.workers", "2")) == 0
    assert weights(tiny, "1") == alone


def test_another_seed_gives_other_weights(tiny, tmp_path):
    assert main(tiny.train("1")) == 0
    one, tiny.runs = weights(tiny, "1"), tmp_path / "other"
    assert main(tiny.train("1", "--data.seed", "1")) == 0
    assert weights(tiny, "1") != one


def test_what_a_stage_cannot_use_is_listed_before_and_during_the_run(tiny, capsys):
    shards = ShardSet(tiny.shards / "pretrain" / "train")
    overwrite(shards, 1, bytes(4000))
    assert main(tiny.train("1")) == 0
    assert main(tiny.train("2")) == 0
    said = capsys.readouterr().out
    assert "6 samples = 5 usable + 1 skipped (1 too short)" in said
    (row,) = pq.read_table(tiny.runs / "2" / "skipped.parquet").to_pylist()
    assert row["key"] == shards.keys[5] and row["reason"] == "too short"
    failed = json.loads((tiny.runs / "2" / "failed.json").read_text())
    assert list(failed) == [shards.keys[1]] and "does not decode" in failed[shards.keys[1]]
    record = Run(tiny.runs / "2").record
    assert record and record["num_failed"] == 1 and "1 samples could not be read" in said


def test_too_many_samples_that_do_not_decode_stop_the_stage(tiny, capsys):
    shards = ShardSet(tiny.shards / "pretrain" / "train")
    for number in (1, 3):
        overwrite(shards, number, b"no video" * 10)
    assert main(tiny.train("1", "--data.max_failed", "1")) == 1
    assert "2 samples could not be read, and data.max_failed is 1" in capsys.readouterr().err
    assert len(json.loads((tiny.runs / "1" / "failed.json").read_text())) == 2
    assert main(tiny.train("1", "--data.max_failed", "2")) == 0


def test_numbers_are_written_over_samples(tiny):
    assert main(tiny.train("1")) == 0
    events = EventAccumulator(str(tiny.runs / "1" / "tensorboard")).Reload()
    assert {"loss", "gradient_norm", "learning_rate", "samples_a_second", "held_out_loss"} <= set(
        events.Tags()["scalars"]
    )
    assert [event.step for event in events.Scalars("loss")] == [4, 8, 12, 16]
    assert [event.step for event in events.Scalars("held_out_loss")] == [0, 8, 16]


def test_a_set_that_holds_nothing_usable_out_still_trains(tiny, capsys):
    put_set(tiny.shards / "pretrain" / "val", [gray_clip(8, num_frames=4)])
    assert main(tiny.train("2", "--init_from", "null")) == 0
    assert "no held-out loss" in capsys.readouterr().out
    assert (Run(tiny.runs / "2").record or {})["held_out_loss"] == []


def test_a_set_of_pictures_joins_the_first_stage_and_is_refused_by_the_second(tiny, tmp_path, capsys):
    pictures = tmp_path / "pictures"
    put_set(pictures / "train", [picture(10), picture(11, captions=[]), picture(12)])
    write_json(pictures / "manifest.json", {})
    mixture = ("--data.mixture", f"{{pretrain: 3, {pictures}: 1}}")
    assert main(tiny.train("1", *mixture)) == 0
    out = capsys.readouterr().out
    alone = "1 without a caption train unconditionally, 1 of 4 batches"
    assert f"{pictures}/train: 3 samples = 3 usable + 0 skipped; {alone}" in out
    assert "pretrain/train: 6 samples = 6 usable + 0 skipped, 3 of 4 batches" in out
    assert main(tiny.train("2", *mixture)) == 1
    assert "can be used for this stage: 3 a picture" in capsys.readouterr().err


def test_videos_and_a_set_of_pictures_train_together_at_their_shares(tiny, tmp_path, capsys):
    put_set(tiny.shards / "pretrain" / "train", [gray_clip(number) for number in range(6)])
    put_set(tmp_path / "pictures" / "train", [picture(10), picture(11), picture(12)])
    write_json(tmp_path / "pictures" / "manifest.json", {})
    buckets = "[{num_frames: 4, height: 16, width: 24}, {num_frames: 1, height: 16, width: 24}]"
    joint = ("--data.buckets", buckets, "--data.mixture", f"{{pretrain: 3, {tmp_path / 'pictures'}: 1}}")
    assert main(tiny.train("2", "--init_from", "null", "--watch.numbers_every", "2", *joint)) == 0
    events = EventAccumulator(str(tiny.runs / "2" / "tensorboard")).Reload()
    of = {kind: {e.step for e in events.Scalars(f"loss_by_medium/{kind}")} for kind in ("video", "image")}
    assert len(of["video"]) + len(of["image"]) == 8 and not of["video"] & of["image"], "a step is of one kind"
    assert len(of["image"]) == 2, "one batch of four"


def test_a_set_that_is_just_being_packed_is_refused(tiny, capsys):
    write_json(tiny.shards / "pretrain" / "manifest.json", {"train": 5, "val": 2})
    assert main(tiny.train("1")) == 1
    assert "is being packed, or that was interrupted" in capsys.readouterr().err
    write_json(tiny.shards / "pretrain" / "manifest.json", {"train": 6, "val": 2})
    assert main(tiny.train("1")) == 0


@pytest.mark.parametrize("num_samples", [2, 3, 7, 8, 50, 1001])
def test_a_stage_has_as_many_steps_as_see_at_most_its_samples(tiny, num_samples):
    sizes = "[{num_frames: 4, height: 16, width: 24}, {num_frames: 1, height: 16, width: 24}]"
    budget = ["--data.batch_size=null", "--data.tokens_per_batch=48", f"--num_samples={num_samples}"]
    stage = build_stage(Recipe(tiny.recipe).files("1"), [f"--data.buckets={sizes}", *budget])
    stage.open()
    seen = [stage.data.samples_at(step) for step in range(num_samples + 2)]
    assert {after - before for before, after in pairwise(seen)} == {1, 2}, "batches differ in size"
    assert stage.num_steps() == max(step for step, samples in enumerate(seen) if samples <= num_samples)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_set_at_an_address_is_trained_on_like_a_local_one(tiny, bucket, tmp_path, workers):
    for path in (tiny.shards / "pretrain").rglob("*.*"):
        (bucket / "shards" / path.relative_to(tiny.shards)).write_bytes(path.read_bytes())
    assert main(tiny.train("1")) == 0
    local, tiny.runs = weights(tiny, "1"), tmp_path / "away"
    assert main(tiny.train("1", f"--data.shards={bucket / 'shards'}", f"--data.workers={workers}")) == 0
    assert weights(tiny, "1") == local


def test_buckets_share_a_budget_of_tokens(tiny, capsys):
    sizes = "[{num_frames: 4, height: 16, width: 24}, {num_frames: 1, height: 16, width: 24}]"
    options = ("--data.buckets", sizes, "--data.batch_size", "null", "--data.tokens_per_batch", "24")
    assert main(tiny.train("1", *options)) == 0
    out = capsys.readouterr().out
    assert "bucket 4x16x24: 5 samples, 5 batches of 1, 120 tokens" in out
    assert "bucket 1x16x24: 1 samples, 1 batches of 1, 6 tokens" in out
    assert "16 samples" in out
    budget = (*options[:-1], "23")
    assert main(tiny.train("1", "--force", *budget)) == 1
    assert "has 24 tokens, and a batch may have 23" in capsys.readouterr().err


def test_accumulated_batches_are_one_larger_batch(tiny, tmp_path):
    def losses():
        return [
            event.value for event in EventAccumulator(str(tiny.runs / "1" / "tensorboard")).Reload().Scalars("loss")
        ]

    rate = ("--model.optimizer.learning_rate", "1e-5")  # gray frames make gradients that rounding changes much
    assert main(tiny.train("1", *rate, "--data.batch_size", "4")) == 0
    at_once, tiny.runs = losses(), tmp_path / "accumulated"
    assert main(tiny.train("1", *rate, "--data.batch_size", "2", "--trainer.accumulate_grad_batches", "2")) == 0
    assert losses() == pytest.approx(at_once, rel=1e-3)
