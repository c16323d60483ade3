"""What trials came to: values by arm and seed, videos by round, gaps where a trial is not done, and tables that lie."""

import pytest
import yaml

from shards.schema import from_rows
from shards.store import write_json
from training.ablation.arms import Arm
from training.ablation.results import VALUES, collect
from training.ablation.trial import Trial
from training.ablation.votes import Round
from training.evaluation.tables import METRICS, VIDEOS, figure_rows, write_rows
from training.metrics.metric import Figure


def figure(name, value, **other):
    told = {"low": None, "high": None, "better": "higher", "protocol": f"{name} of 4 frames", "missing": ""}
    counts = {"num_fake": 2, "num_real": 0, "weights_hash": "", "caution": ""}
    return Figure(name, value, **(told | counts | other))


def video(seed, **values):
    place = {"video": f"samples/{seed}.mp4", "key": f"k{seed}", "reference": f"references/k{seed}.mp4"}
    return {"number": seed - 5, "caption": f"c{seed}", "seed": seed, **place, "values": values}


def planned(root, arm, seed):
    return Trial(Arm(arm, root / arm), seed, root / f"{arm}-{seed}", (), ())


def done(root, arm, seed, figures=(), videos=(), losses=(3.0, 2.0)):
    """A trial as training and evaluation leave it."""
    trial = planned(root, arm, seed)
    trial.evaluation.mkdir(parents=True)
    trial.run.write_record({"held_out_loss": [{"samples": 8 * n, "loss": loss} for n, loss in enumerate(losses)]})
    trial.run.config.write_text(yaml.safe_dump({"data": {"set": "sweep_raw"}}))
    write_rows(
        trial.evaluation / "metrics.parquet",
        figure_rows({"stage": "2", "model_sha256": "beef"}, list(figures)),
        METRICS,
    )
    write_rows(trial.evaluation / "videos.parquet", list(videos), VIDEOS)
    write_json(trial.judged, {})
    return trial


def test_values_stand_by_arm_and_seed_and_what_is_not_done_has_none(tmp_path):
    trials = [done(tmp_path, "raw", 0, [figure("clip", 0.5)]), done(tmp_path, "full", 0, [figure("clip", 0.75)])]
    trials += [done(tmp_path, "raw", 1, [figure("clip", 0.25)]), planned(tmp_path, "full", 1)]
    metrics, rows = collect(trials)
    assert metrics["clip"].values == {"raw": {0: 0.5, 1: 0.25}, "full": {0: 0.75, 1: None}}
    raw, full = metrics["clip"].comparisons()
    assert (raw.mean.value, full.difference.value, full.missing) == (0.375, 0.25, (1,))
    told = from_rows(rows, VALUES).to_pylist()
    assert [(row["arm"], row["seed"], row["value"]) for row in told if row["name"] == "clip"] == [
        ("raw", 0, 0.5),
        ("full", 0, 0.75),
        ("raw", 1, 0.25),
    ]


def test_a_metric_that_one_trial_lacks_is_a_gap_with_its_reason(tmp_path):
    lacking = figure("clip", None, missing="needs weights: get them")
    trials = [done(tmp_path, "raw", 0, [figure("clip", 0.5)]), done(tmp_path, "full", 0, [lacking])]
    metrics, rows = collect(trials)
    assert metrics["clip"].values == {"raw": {0: 0.5}, "full": {0: None}}
    assert rows[-1]["missing"] == "needs weights: get them"


def test_the_held_out_loss_is_the_last_one(tmp_path):
    trials = [done(tmp_path, "raw", 0, losses=(3.0, 1.5, 2.0)), done(tmp_path, "full", 0, losses=())]
    metrics, (raw, full) = collect(trials)
    found = metrics["held_out_loss"]
    assert found.values == {"raw": {0: 2.0}, "full": {0: None}} and found.better == "lower"
    assert "of sweep_raw," in found.protocol
    assert (raw["missing"], full["missing"]) == ("", "no sample is held out")


def test_videos_meet_in_rounds_of_caption_and_both_seeds(tmp_path):
    videos = [video(5, clip=0.1), video(6, clip=0.2)]
    figures = [figure("clip", 0.15), figure("fvd", 9.0, better="lower")]
    trials = [done(tmp_path, "raw", 0, figures, videos), done(tmp_path, "raw", 1, figures, [video(5, clip=0.3)])]
    metrics, _ = collect(trials)
    rounds = {Round("c5", 5, 0): 0.1, Round("c6", 6, 0): 0.2, Round("c5", 5, 1): 0.3}
    assert metrics["clip"].videos == {"raw": rounds} and metrics["fvd"].videos == {}


def test_tables_of_an_earlier_ablation_do_not_count(tmp_path):
    """One trial failed now, of the other nobody says with what it was judged: both have tables."""
    trials = [done(tmp_path, arm, 0, [figure("clip", 0.5)]) for arm in ("raw", "full", "blur")]
    trials[2].judged.unlink()
    metrics, rows = collect(trials, {"full-0": "no memory"})
    assert metrics["clip"].values == {"raw": {0: 0.5}, "full": {0: None}, "blur": {0: None}}
    assert {row["arm"] for row in rows} == {"raw"}


def test_nothing_done_is_nothing_found(tmp_path):
    assert collect([planned(tmp_path, "raw", 0)]) == ({}, [])


def test_other_ways_of_measuring_are_not_mixed(tmp_path):
    older = figure("clip", 0.5, protocol="ViT-B; 8 frames")
    trials = [done(tmp_path, "raw", 0, [older]), done(tmp_path, "full", 0, [figure("clip", 0.5)])]
    with pytest.raises(ValueError, match="full-0 measured clip in another way than the trials before it") as error:
        collect(trials)
    place = tmp_path / "*" / "evaluation" / "metrics.parquet"
    assert "(clip of 4 frames, not ViT-B; 8 frames)" in str(error.value) and f"remove {place} of" in str(error.value)
    assert trials[0].evaluation / "metrics.parquet" in tmp_path.glob("*/evaluation/metrics.parquet")


def test_all_that_it_takes_to_read_a_number_is_stored_with_it(tmp_path):
    told = {"num_fake": 64, "num_real": 103, "caution": "few videos"}
    trial = done(tmp_path, "raw", 0, [figure("fvd", 9.0, weights_hash="beef", **told)], losses=())
    trial.run.write_record({"held_out_loss": [{"samples": 8, "loss": 2.0, "num_held_out": 103}]})
    rows = from_rows(collect([trial])[1], VALUES).to_pylist()
    names = ("num_fake", "num_real", "network_sha256", "caution")
    found = {row["name"]: tuple(row[name] for name in names) for row in rows}
    assert found == {"held_out_loss": (0, 103, "", ""), "fvd": (64, 103, "beef", "few videos")}


def test_of_older_runs_the_number_of_held_out_samples_is_unknown(tmp_path):
    (row,) = collect([done(tmp_path, "raw", 0)])[1]
    assert from_rows([row], VALUES).to_pylist()[0]["num_real"] is None


def test_networks_of_other_weights_are_not_mixed(tmp_path):
    older, newer = (figure("clip", 0.5, weights_hash=told) for told in ("dead", "beef"))
    unknown, missing = figure("clip", 0.5), figure("clip", None, weights_hash="face", missing="too few videos")
    seeds = [done(tmp_path, "raw", seed, [each]) for seed, each in enumerate([unknown, older, missing, unknown, older])]
    assert len(collect(seeds)[0]["clip"].values["raw"]) == 5, "where nobody can tell, nobody is refused"
    with pytest.raises(ValueError, match="full-0 measured clip with other weights of its network than the") as error:
        collect([*seeds, done(tmp_path, "full", 0, [newer])])
    assert f"(beef, not dead): remove {tmp_path / '*' / 'evaluation' / 'metrics.parquet'} of" in str(error.value)


@pytest.mark.parametrize("name", ["metrics.parquet", "videos.parquet"])
def test_a_damaged_table_is_told_with_its_file(tmp_path, name):
    trial = done(tmp_path, "raw", 0, [figure("clip", 0.5)])
    (trial.evaluation / name).write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=rf"raw-0/evaluation/{name} cannot be read"):
        collect([trial])
