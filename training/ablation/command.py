"""The command `ablate`."""

import argparse
from collections.abc import Callable
from pathlib import Path

from training.recipe import Recipe


def add_parser(commands, shared: argparse.ArgumentParser) -> None:
    """Adds it to the commands."""
    about = "train the same model on each subset of a sweep, and compare what comes out"
    parser = commands.add_parser("ablate", parents=[shared], allow_abbrev=False, help=about)
    parser.add_argument("--corpus", required=True, help="with the subsets that `python -m curation sweep` wrote")
    parser.add_argument(
        "--stage", default="2", help="that is compared; all arms start from those before it (default 2)"
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each arm (default 3)")
    parser.add_argument("--arms", help="raw,full,motion_bottom_25: some of the subsets, by commas (default: all)")
    parser.add_argument("--judge", default="clipsim", help="metrics that vote, by commas; none: '' (default clipsim)")
    parser.add_argument("--engine", choices=["ray", "local"], default="ray", help="side by side, or one by one")
    parser.add_argument("--force", action="store_true", help="move what stands there aside, and start anew")


def run_ablation(
    recipe: Recipe, out: Path, options: argparse.Namespace, rest: list[str], say: Callable[[str], None]
) -> int:
    """Runs an ablation, or goes on with it; the number of trials that failed.

    Raises:
        ValueError: something that the user can mend.
    """
    if options.seeds < 1:
        raise ValueError(f"--seeds is at least 1, not {options.seeds}")
    corpus, told = Path(options.corpus).resolve(), _names(options.arms or "")
    from training.ablation.ablate import Ablation, ablate
    from training.ablation.arms import find_arms, without_twins

    arms = find_arms(corpus, told or None)
    if not told:
        arms, twins = without_twins(arms)
        for twin, first in twins.items():
            say(f"{twin} keeps the same clips as {first}, and is not trained again")
    planned = Ablation(
        recipe=recipe,
        stage=options.stage,
        corpus=corpus,
        out=out.resolve(),
        arms=arms,
        seeds=range(options.seeds),
        judges=tuple(_names(options.judge)),
        engine=options.engine,
        arguments=tuple(rest),
        force=options.force,
    )
    return ablate(planned, say)


def _names(told: str) -> list[str]:
    return [name.strip() for name in told.split(",") if name.strip()]
