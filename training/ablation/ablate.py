"""SVD's experiment (arXiv 2311.15127, section 3.3): the same small model trained at the same cost on each selection."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from shards.manifest import MANIFEST
from shards.schema import field, from_rows
from shards.store import write_table
from training.ablation.arms import PREFIX, RAW, Arm
from training.ablation.elo import Rating, rate
from training.ablation.judge import Criterion, Values, judge, judge_by_ranks
from training.ablation.page import write_page
from training.ablation.results import VALUES, Metric, collect
from training.ablation.side_by_side import run_all
from training.ablation.trial import Trial
from training.ablation.votes import read_votes
from training.ablation.winner import winning_sets, write_winner
from training.config import build_stage
from training.fit import train
from training.metrics.rows import MeanOfVideos
from training.recipe import Recipe
from training.run import Run
from training.screen import Screen
from training.sole_user import sole_user

PACKED, RULES = f"{PREFIX}{RAW}", "rules.yaml"
RATINGS = pa.schema(
    [
        field("by", pa.string(), "people, or the protocol of the automatic judge"),
        field("arm", pa.string(), "the selection that was trained on"),
        field("num_votes", pa.int64(), "votes on its videos"),
        field("rating", pa.float64(), "Elo, K = 1 from 1000, mean over random orders of the votes"),
        field("median", pa.float64(), "over draws of captions and trial seeds"),
        field("low", pa.float64(), "lower end of the 95 % interval over those draws"),
        field("high", pa.float64(), "upper end"),
    ]
)


@dataclass(frozen=True)
class Ablation:
    """What is compared, and where it goes."""

    recipe: Recipe
    stage: str
    corpus: Path
    out: Path
    arms: list[Arm]
    seeds: range
    judges: tuple[str, ...]
    """Metrics that vote; more than one by their mean rank."""
    engine: str
    arguments: tuple[str, ...]
    """Of the command line, for every training."""

    @property
    def shared(self) -> tuple[str, ...]:
        """Arguments of all trainings: the raw set is read, whatever the recipe names."""
        where = f"--data.shards={self.corpus / 'shards'}"
        return (where, f'--data.mixture={{"{PACKED}": 1}}', *self.arguments)

    def trials(self) -> list[Trial]:
        """Seed by seed, so that what is interrupted has compared all arms with the first ones."""
        files = tuple(self.recipe.files(self.stage))
        return [
            Trial(arm, seed, self.out / f"{arm.name}-{seed}", files, self.shared)
            for seed in self.seeds
            for arm in self.arms
        ]


def ablate(ablation: Ablation, say: Callable[[str], None]) -> int:
    """Trains what is not trained yet, then judges; the same command goes on where it stopped.

    Returns:
        Number of trials that failed.

    Raises:
        ValueError: something that the user can mend.
    """
    if not (ablation.corpus / "shards" / PACKED / MANIFEST).exists():
        raise ValueError(
            f"{ablation.corpus} has no packed set {PACKED}, which all arms read: make curate OUT={ablation.corpus} "
            f"CONFIG={ablation.corpus / 'raw.yaml'} JOB=pack"
        )
    _check_judges(ablation)
    _train_before(ablation)
    trials = ablation.trials()
    say(f"{len(ablation.arms)} arms x {len(ablation.seeds)} seeds = {len(trials)} trials: {ablation.out}")
    failed = run_all(trials, ablation.engine, say)
    report(ablation, say)
    for name, error in failed.items():
        say(f"✗ {name}: {error}; see {ablation.out / name}.log")
    return len(failed)


def report(ablation: Ablation, say: Callable[[str], None]) -> None:
    """Judges the trials that are done: tables, page, and the rules that won.

    Raises:
        ValueError: none is done, or a judge is no metric of single videos.
    """
    metrics, rows = collect(ablation.trials())
    if not rows:
        raise ValueError(f"no trial in {ablation.out} is done; their logs tell why: {ablation.out}/*.log")
    ratings = _ratings(ablation, metrics)
    _write(ablation.out, rows, ratings)
    sets = winning_sets(ablation.arms, next(iter(ratings.values()), []))
    if sets:
        write_winner(ablation.out / RULES, ablation.corpus, sets)
        say(f"the rules that won: make filter OUT={ablation.corpus} CONFIG={ablation.out / RULES}")
    say(str(write_page(ablation.out, ablation.arms, metrics, ratings, sets)))


def _ratings(ablation: Ablation, metrics: dict[str, Metric]) -> dict[str, list[Rating]]:
    """Ratings of the arms by who judged: people first, where any voted."""
    names = [arm.name for arm in ablation.arms]
    criteria = _criteria(metrics, ablation.judges)
    votes = {"people": read_votes(ablation.out / "votes")}
    if criteria:
        by = " | ".join(each.by for each in criteria)
        votes[f"automatic judge: {by}"] = _votes([metrics[name].videos for name in ablation.judges], criteria)
    return {by: rate(each, names) for by, each in votes.items() if len(each)}


def _check_judges(ablation: Ablation) -> None:
    """Before hours of training, not after."""
    stage = build_stage(ablation.recipe.files(ablation.stage), ablation.shared)
    able = [metric.name for metric in stage.evaluation.metrics if isinstance(metric, MeanOfVideos)]
    if unknown := [name for name in ablation.judges if name not in able]:
        raise ValueError(
            f"--judge {unknown[0]} is no metric of evaluation.metrics that has a value for each video; such are: "
            f"{', '.join(able) or 'none'}"
        )


def _train_before(ablation: Ablation) -> None:
    """The stages that all trials start from, once."""
    for name in ablation.recipe.before(ablation.stage):
        run = Run(ablation.out / name)
        with sole_user(run):
            train(build_stage(ablation.recipe.files(name), ablation.shared), run, Screen())


def _criteria(metrics: dict[str, Metric], judges: Sequence[str]) -> list[Criterion]:
    found = []
    for name in judges:
        metric = metrics.get(name)
        if metric is None or not metric.videos or metric.better not in ("higher", "lower"):
            able = [each.name for each in metrics.values() if each.videos and each.better in ("higher", "lower")]
            raise ValueError(f"--judge {name} has no value for each video that is better; such are: {', '.join(able)}")
        found.append(Criterion(metric.protocol, metric.better))  # pyright: ignore[reportArgumentType]
    return found


def _votes(values: Sequence[Values], criteria: Sequence[Criterion]) -> pa.Table:
    if len(criteria) == 1:
        return judge(values[0], criteria[0])
    return judge_by_ranks(list(zip(criteria, values, strict=True)))


def _write(out: Path, rows: Sequence[dict[str, Any]], ratings: dict[str, list[Rating]]) -> None:
    write_table(out / "values.parquet", from_rows(list(rows), VALUES), VALUES)
    rated = [{"by": by} | asdict(each) for by, those in ratings.items() for each in those]
    write_table(out / "ratings.parquet", from_rows(rated, RATINGS), RATINGS)
