"""A trial: an arm trained with one seed, and evaluated. All trials share model, steps, batch and captions."""

import traceback
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from shards.store import read_json, write_json
from training.ablation.arms import Arm
from training.run import Run

SAME_WINDOWS = ["--data.seed=0"]
"""References and captions of all trials are the same, whatever seed they were trained with."""


@dataclass(frozen=True)
class Trial:
    """What a worker needs to train and judge an arm once."""

    arm: Arm
    seed: int
    """Of order, windows, captions and noise of the training."""
    folder: Path
    """Its run, beside those of the stages that all trials start from."""
    files: tuple[Path, ...]
    """YAML of the stage that is compared."""
    arguments: tuple[str, ...]
    """What all trials have in common."""

    @property
    def run(self) -> Run:
        """The training."""
        return Run(self.folder)

    @property
    def evaluation(self) -> Path:
        """Its evaluation."""
        return self.folder / "evaluation"

    @property
    def judged(self) -> Path:
        """With what it was evaluated, once it was."""
        return self.evaluation / "judged.json"

    @property
    def judged_weights(self) -> str:
        """SHA-256 of the weights that it was evaluated with; only once it was."""
        return read_json(self.judged)["weights"][self.run.ema_weights.name]

    @property
    def log(self) -> Path:
        """What it said."""
        return self.folder.with_suffix(".log")

    @property
    def all_arguments(self) -> list[str]:
        """Of the command line."""
        own = [f"--data.kept={self.arm.verdicts}", f"--data.seed={self.seed}", f"--seed_everything={self.seed}"]
        return [*self.arguments, *own]


def run_trial(trial: Trial) -> str:
    """Trains and evaluates a trial, or goes on with it; what is done already is not done again.

    Args:
        trial: what it says goes to its log.

    Returns:
        Empty; else why it failed, which is no reason for other trials to stop.
    """
    trial.folder.parent.mkdir(parents=True, exist_ok=True)
    with trial.log.open("a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        return _run(trial)


def _run(trial: Trial) -> str:
    from training.config import build_stage
    from training.evaluation.evaluate import evaluate
    from training.evaluation.settings import evaluation_section
    from training.evaluation.tables import METRICS_FILE, VIDEOS_FILE
    from training.fit import train
    from training.generate import Sampling
    from training.screen import Screen
    from training.sole_user import sole_user

    try:
        with sole_user(trial.run):
            train(build_stage(list(trial.files), trial.all_arguments), trial.run, Screen())
            section, arguments = evaluation_section(trial.files), [*trial.all_arguments, *SAME_WINDOWS]
            told = {"evaluation": section, "arguments": arguments, "weights": (trial.run.record or {})["weights"]}
            left = [trial.judged, *(trial.evaluation / name for name in (METRICS_FILE, VIDEOS_FILE))]
            if not (all(path.exists() for path in left) and read_json(trial.judged) == told):
                evaluate(trial.run, trial.evaluation, section, arguments, Sampling(), print)
                write_json(trial.judged, told)
    except Exception as error:  # of whatever library: one trial is no reason for others to stop
        traceback.print_exc()
        return f"{error} (to train it anew, remove {trial.folder})"
    return ""
