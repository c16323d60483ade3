"""SVD's experiment (arXiv 2311.15127, section 3.3): the same small model trained at the same cost on each selection."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from shards.manifest import MANIFEST
from shards.schema import field, from_rows
from shards.store import read_json, write_json, write_table
from training.ablation.arms import PREFIX, RAW, Arm
from training.ablation.elo import Rating, rate
from training.ablation.judge import Criterion, Values, judge, judge_by_ranks
from training.ablation.markdown import write_markdown
from training.ablation.page import write_page
from training.ablation.results import VALUES, Metric, collect
from training.ablation.side_by_side import run_all
from training.ablation.trial import Trial
from training.ablation.votes import current, read_votes
from training.ablation.winner import winning_sets, write_winner
from training.config import build_stage
from training.fit import train
from training.metrics.rows import MeanOfVideos
from training.recipe import Recipe
from training.run import Run
from training.screen import Screen
from training.sole_user import sole_user

PACKED, RULES, VOTES_FOLDER = f"{PREFIX}{RAW}", "rules.yaml", "votes"
COMPARED = "compared.json"
"""Names the recipe and the stage that the trials of a folder are of."""
RATINGS = pa.schema(
    [
        field("by", pa.string(), "people, or the protocol of the automatic judge"),
        field("arm", pa.string(), "the selection that was trained on"),
        field("num_votes", pa.int64(), "votes on its videos"),
        field("rating", pa.float64(), "Elo, K = 1 from 1000, mean over random orders of the votes"),
        field("median", pa.float64(), "over draws of captions and trial seeds"),
        field("low", pa.float64(), "lower end of the 95 % interval over those draws"),
        field("high", pa.float64(), "upper end"),
        field("lead", pa.float64(), "rating minus that of the raw set, mean over orders"),
        field("lead_low", pa.float64(), "lower end of its 95 % interval over draws"),
        field("lead_high", pa.float64(), "upper end"),
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
    force: bool = False
    """Whether what stands in `out` is moved aside."""

    @property
    def compared(self) -> dict[str, str]:
        """What its folder is of."""
        return {"recipe": self.recipe.folder.name, "stage": self.stage}

    @property
    def shared(self) -> tuple[str, ...]:
        """Arguments of all trainings: the raw set is read, whatever the recipe names."""
        where = f"--data.shards={self.corpus / 'shards'}"
        return (where, f'--data.mixture={{"{PACKED}": 1}}', *self.arguments)

    def arguments_of(self, name: str) -> tuple[str, ...]:
        """Arguments of a stage's training: latents are made for the one that is compared, and may not fit another.

        Raises:
            ValueError: there is no such stage, or something is wrong in its configuration.
        """
        stage = build_stage(self.recipe.files(name), self.shared)
        # the compared stage goes without only if it can never read any: that they are stale is to be told to the user
        reads_latents = not stage.why_no_latents() if name == self.stage else stage.latents_fit()
        return self.shared if reads_latents else (*self.shared, "--data.latents=null")

    @cached_property
    def trials(self) -> list[Trial]:
        """Seed by seed, so that what is interrupted has compared all arms with the first ones."""
        files, arguments = tuple(self.recipe.files(self.stage)), self.arguments_of(self.stage)
        return [
            Trial(arm, seed, self.out / f"{arm.name}-{seed}", files, arguments)
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
    _check_folder(ablation)
    _check(ablation)
    _begin(ablation, say)
    _train_before(ablation)
    trials = ablation.trials
    say(f"{len(ablation.arms)} arms x {len(ablation.seeds)} seeds = {len(trials)} trials: {ablation.out}")
    failed = run_all(trials, ablation.engine, say)
    report(ablation, failed, say)
    for name, error in failed.items():
        say(f"✗ {name}: {error}; see {ablation.out / name}.log")
    return len(failed)


def report(ablation: Ablation, failed: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Judges the trials that are done: tables, page, a summary in Markdown, and the rules that won.

    Args:
        ablation: with its trials.
        failed: why some failed, by their folder.
        say: tells a line.

    Raises:
        ValueError: none is done.
    """
    metrics, rows = collect(ablation.trials, failed)
    if not rows:
        raise ValueError(f"no trial in {ablation.out} is done; their logs tell why: {ablation.out}/*.log")
    ratings = _ratings(ablation, metrics, failed, say)
    _write(ablation.out, rows, ratings)
    sets = _won(ablation, ratings, say)
    write_markdown(ablation.out, ablation.arms, metrics, ratings, failed)
    say(str(write_page(ablation.out, ablation.arms, metrics, ratings, sets, failed)))


def _won(ablation: Ablation, ratings: Mapping[str, list[Rating]], say: Callable[[str], None]) -> dict[str, Any]:
    """Writes the rules that won by the first who judged with an interval; removes those of an earlier look."""
    path = ablation.out / RULES
    sure = [those for those in ratings.values() if any(each.lead_low is not None for each in those)]
    sets = winning_sets(ablation.arms, sure[0]) if sure else {}
    if sets:
        write_winner(path, ablation.corpus, sets)
        say(f"the rules that won: make filter OUT={ablation.corpus} CONFIG={path}")
    else:
        path.unlink(missing_ok=True)
        say("no arm beats the raw set beyond its 95 % interval, so no rules have won")
    return sets


def _ratings(
    ablation: Ablation, metrics: dict[str, Metric], failed: Collection[str], say: Callable[[str], None]
) -> dict[str, list[Rating]]:
    """Ratings of the arms by who judged: people first, where any voted."""
    names = [arm.name for arm in ablation.arms]
    votes = {"people": _of_people(ablation, failed, say)}
    judges = [metrics[name] for name in ablation.judges if name in metrics and metrics[name].videos]
    if judges and len(judges) == len(ablation.judges):  # else the page tells which has no value
        criteria = [Criterion(each.protocol, each.better) for each in judges]  # pyright: ignore[reportArgumentType]
        by = " | ".join(each.by for each in criteria)
        votes[f"automatic judge: {by}"] = _votes([each.videos for each in judges], criteria)
    return {by: rate(each, names) for by, each in votes.items() if len(each)}


def _of_people(ablation: Ablation, failed: Collection[str], say: Callable[[str], None]) -> pa.Table:
    """Their votes on videos of the trials as they are now."""
    given = read_votes(ablation.out / VOTES_FOLDER)
    done = [trial for trial in ablation.trials if trial.judged.exists() and trial.folder.name not in failed]
    votes = current(given, {(trial.arm.name, trial.seed): trial.judged_weights for trial in done})
    if left_out := given.num_rows - votes.num_rows:
        say(f"{left_out} of {given.num_rows} votes do not count: their videos are of other weights, or of other arms")
    return votes


def _check_folder(ablation: Ablation) -> None:
    """Trials are told apart by arm and seed alone, so a folder is of one stage."""
    path = ablation.out / COMPARED
    if ablation.force or not path.exists() or (stands := read_json(path)) == ablation.compared:
        return
    raise ValueError(
        f"{ablation.out} holds trials of stage {stands['stage']} of recipe {stands['recipe']}: name another folder for "
        f"stage {ablation.stage} of {ablation.recipe.folder.name} (OUT=), or move those aside (FORCE=1)"
    )


def _begin(ablation: Ablation, say: Callable[[str], None]) -> None:
    """Says in the folder what it is of; with `force` in a new one."""
    if ablation.force and ablation.out.exists():
        say(f"the old ablation is now {Run(ablation.out).move_aside()}")
    write_json(ablation.out / COMPARED, ablation.compared)


def _check(ablation: Ablation) -> None:
    """Sees that the trials can be trained and judged: before hours of training, not after."""
    read_votes(ablation.out / VOTES_FOLDER)
    stage = build_stage(ablation.recipe.files(ablation.stage), ablation.arguments_of(ablation.stage))
    metrics = {each.name: each for each in stage.evaluation.metrics}
    able = [name for name, each in metrics.items() if isinstance(each, MeanOfVideos) and each.better != "neither"]
    if unknown := [name for name in ablation.judges if name not in able]:
        raise ValueError(
            f"--judge {unknown[0]} is no metric of evaluation.metrics that tells which of two videos is better; such "
            f"are: {', '.join(able) or 'none'}"
        )
    for name in ablation.judges:
        metrics[name].load(torch.device("cpu"))
    stage.open()


def _train_before(ablation: Ablation) -> None:
    """The stages that all trials start from, once."""
    for name in ablation.recipe.before(ablation.stage):
        run = Run(ablation.out / name)
        with sole_user(run):
            try:
                train(build_stage(ablation.recipe.files(name), ablation.arguments_of(name)), run, Screen())
            except ValueError as error:
                raise ValueError(f"{error} (to train it anew, remove {run.folder})") from error


def _votes(values: Sequence[Values], criteria: Sequence[Criterion]) -> pa.Table:
    if len(criteria) == 1:
        return judge(values[0], criteria[0])
    return judge_by_ranks(list(zip(criteria, values, strict=True)))


def _write(out: Path, rows: Sequence[dict[str, Any]], ratings: dict[str, list[Rating]]) -> None:
    write_table(out / "values.parquet", from_rows(list(rows), VALUES), VALUES)
    rated = [{"by": by} | asdict(each) for by, those in ratings.items() for each in those]
    write_table(out / "ratings.parquet", from_rows(rated, RATINGS), RATINGS)
