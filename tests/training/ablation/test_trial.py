"""A trial: what it is told, judged once and anew when something changed, and alone when it fails."""

import pytest

from shards.store import read_json
from training.ablation.arms import Arm
from training.ablation.trial import Trial, run_trial
from training.sole_user import sole_user


def planned(root, seed=3):
    stage = root / "2.yaml"
    stage.write_text("evaluation: {num_videos: 2}\n")
    return Trial(Arm("full", root / "verdicts"), seed, root / "out" / f"full-{seed}", (stage,), ("--model.depth=1",))


class Steps:
    """Stands for training and evaluation: notes what they are told, and leaves what they leave."""

    def __init__(self, monkeypatch):
        self.trained, self.judged, self.weights = [], [], "first"
        monkeypatch.setattr("training.fit.train", self.train)
        monkeypatch.setattr("training.evaluation.evaluate.evaluate", self.evaluate)
        # last: what is imported while it stands would keep it
        monkeypatch.setattr("training.config.build_stage", lambda files, arguments: arguments)

    def train(self, arguments, run, screen):
        screen.say("trains")
        self.trained.append(arguments)
        run.write_record({"weights": {"ema.safetensors": self.weights}})

    def evaluate(self, run, folder, section, arguments, how, say):
        say("judges")
        self.judged.append((section, arguments))
        folder.mkdir(exist_ok=True)
        for name in ("metrics", "videos"):
            (folder / f"{name}.parquet").touch()


@pytest.fixture
def steps(monkeypatch):
    return Steps(monkeypatch)


def test_what_is_its_own_comes_last_and_wins(tmp_path):
    own = [f"--data.kept={tmp_path / 'verdicts'}", "--data.seed=3", "--seed_everything=3"]
    assert planned(tmp_path).all_arguments == ["--model.depth=1", *own]


def test_all_trials_are_judged_by_the_same_windows(tmp_path, steps):
    for seed in (3, 4):
        assert run_trial(planned(tmp_path, seed)) == ""
    for seed, trained, (section, judged) in zip((3, 4), steps.trained, steps.judged, strict=True):
        assert f"--data.seed={seed}" in trained and trained == planned(tmp_path, seed).all_arguments
        assert judged == [*trained, "--data.seed=0"] and section == {"num_videos": 2}


def test_what_it_says_goes_to_its_log(tmp_path, steps, capsys):
    trial = planned(tmp_path)
    assert run_trial(trial) == run_trial(trial) == ""
    assert trial.log == tmp_path / "out" / "full-3.log"
    assert trial.log.read_text() == "trains\njudges\ntrains\n" and capsys.readouterr() == ("", "")


def test_it_is_judged_once(tmp_path, steps):
    trial = planned(tmp_path)
    assert run_trial(trial) == run_trial(trial) == ""
    assert len(steps.judged) == 1
    assert read_json(trial.judged) == {
        "evaluation": {"num_videos": 2},
        "arguments": [*trial.all_arguments, "--data.seed=0"],
        "weights": {"ema.safetensors": "first"},
    }


@pytest.mark.parametrize("gone", ["judged.json", "metrics.parquet", "videos.parquet"])
def test_what_was_removed_is_made_anew(tmp_path, steps, gone):
    trial = planned(tmp_path)
    assert run_trial(trial) == ""
    (trial.evaluation / gone).unlink()
    assert run_trial(trial) == "" and len(steps.judged) == 2 and (trial.evaluation / gone).exists()


def test_other_weights_or_settings_are_judged_anew(tmp_path, steps):
    trial = planned(tmp_path)
    assert run_trial(trial) == ""
    steps.weights = "second"
    assert run_trial(trial) == "" and len(steps.judged) == 2
    trial.files[0].write_text("evaluation: {num_videos: 8}\n")
    assert run_trial(trial) == "" and steps.judged[2][0] == {"num_videos": 8}


def test_one_that_fails_says_why_and_goes_on_with_the_next_call(tmp_path, steps, monkeypatch):
    trial = planned(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr("training.evaluation.evaluate.evaluate", lambda *arguments: 1 / 0)
        assert run_trial(trial) == f"division by zero (to train it anew, remove {trial.folder})"
    assert "Traceback" in trial.log.read_text() and not trial.judged.exists()
    assert run_trial(trial) == "" and len(steps.judged) == 1


def test_a_run_that_another_process_holds_is_left_alone(tmp_path, steps):
    trial = planned(tmp_path)
    with sole_user(trial.run):
        assert run_trial(trial).startswith(f"another process works on {trial.folder}")
    assert not steps.trained


def test_an_interrupt_stops_everything(tmp_path, steps, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("training.fit.train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_trial(planned(tmp_path))
