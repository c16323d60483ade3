"""The command `evaluate`."""

import argparse
from collections.abc import Callable
from pathlib import Path

from training.recipe import Recipe
from training.run import Run


def add_parser(commands, shared: argparse.ArgumentParser) -> None:
    """Adds it to the commands."""
    about = "sample the captions of held-out videos from a stage, measure what comes out, show both"
    parser = commands.add_parser("evaluate", parents=[shared], allow_abbrev=False, help=about)
    parser.add_argument("--stage", help="a finished stage (default: the last one)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--raw", action="store_true", help="the last weights in place of their average")
    which.add_argument("--ema", metavar="LENGTH", help="another average: its ema_decay or ema_sigma_rel")
    parser.add_argument(
        "--out", help="folder for metrics.parquet, the page and videos (default: evaluation in the run)"
    )
    parser.add_argument("--force", action="store_true", help="replace what was sampled with other settings")


def run_evaluation(
    recipe: Recipe, run: Run, options: argparse.Namespace, rest: list[str], say: Callable[[str], None]
) -> None:
    """Evaluates a stage.

    Raises:
        ValueError: something that the user can mend.
    """
    from training.evaluation.evaluate import evaluate
    from training.evaluation.settings import evaluation_section
    from training.generate import Sampling

    folder = Path(options.out or run.folder / "evaluation")
    section = evaluation_section(recipe.files(run.stage))
    how = Sampling(raw=options.raw, ema=options.ema, force=options.force)
    say(str(evaluate(run, folder, section, rest, how, say)))
