"""Which videos can be compared: of one caption, with one noise, of arms trained with one seed."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pyarrow as pa

from training.ablation.votes import Round, votes_of
from training.samples import SampleFolder

Trials = Mapping[str, Mapping[int, SampleFolder]]
"""Of each arm, by trial seed, what its training sampled."""
SAMPLES = "evaluation/samples"
ALIKE = "caption images_sha256 seed weights sampler guidance num_frames height_px width_px fps".split()
"""Columns of `SAMPLES` in which two videos must agree: else one would be judged for how it was sampled."""


@dataclass(frozen=True)
class Match:
    """Two videos to compare."""

    round: Round
    arms: tuple[str, str]
    """In the order of their names."""
    videos: tuple[Path, Path]
    """mp4 of each."""
    weights: tuple[str, str]
    """SHA-256 of those that made each."""

    @property
    def sides(self) -> tuple[tuple[str, str], ...]:
        """Arms with their weights."""
        return tuple(zip(self.arms, self.weights, strict=True))

    @property
    def key(self) -> tuple:
        """What its votes are counted by."""
        return (*self.round, *self.sides)

    @property
    def is_there(self) -> bool:
        """Whether both files are."""
        return all(video.is_file() for video in self.videos)


def find_trials(out: Path, arms: Sequence[str] = ()) -> dict[str, dict[int, SampleFolder]]:
    """The trials of an ablation: folders `<arm>-<seed>` that hold `evaluation/samples`.

    Args:
        out: folder of the ablation.
        arms: those that are wanted; all where none is named.

    Raises:
        ValueError: there are fewer than two arms, or a wanted one is not there.
    """
    trials: dict[str, dict[int, SampleFolder]] = {}
    for folder in sorted(out.glob("*-*")):
        arm, _, seed = folder.name.rpartition("-")
        samples = SampleFolder(folder / SAMPLES)
        if seed.isdecimal() and samples.table.exists():
            trials.setdefault(arm, {})[int(seed)] = samples
    there = ", ".join(sorted(trials)) or "none"
    if missing := [arm for arm in arms if arm not in trials]:
        raise ValueError(f"{out} has no videos of arm {missing[0]}; there are: {there}")
    chosen = {arm: trials[arm] for arm in sorted(set(arms) or trials)}
    if len(chosen) < 2:
        raise ValueError(f"{out} needs <arm>-<seed>/{SAMPLES} of two arms; there are: {', '.join(chosen) or 'none'}")
    return chosen


def find_matches(trials: Trials) -> list[Match]:
    """Every two videos that can be compared and are there, in an order of their own.

    Raises:
        ValueError: a table of samples is damaged, or no two videos agree in what must be alike.
    """
    alike: dict[tuple[Round, str], dict[str, tuple[Path, str]]] = {}
    for arm, by_seed in trials.items():
        for seed, samples in by_seed.items():
            for row in samples.rows().values():
                each = Round(row["caption"], row["seed"], seed), str([row[name] for name in ALIKE])
                alike.setdefault(each, {})[arm] = samples.folder / row["video"], row["weights_sha256"]
    found = [
        Match(each, (first, second), (made[first][0], made[second][0]), (made[first][1], made[second][1]))
        for (each, _), made in sorted(alike.items())
        for first, second in combinations(sorted(made), 2)
    ]
    if not (there := [match for match in found if match.is_there]):
        told = f"trial seed, {', '.join(ALIKE)}"
        raise ValueError(f"no two videos of {', '.join(trials)} agree in {told}: sample all arms alike")
    return there


class Queue:
    """Tells which match is next: of the arms with fewest votes on each other, the match with fewest votes itself.

    Among equals a shuffle decides, so that captions come in no order; equal seeds and votes give equal matches.
    """

    def __init__(self, matches: Sequence[Match], seed: int) -> None:
        """Takes matches in any order."""
        self.matches = sorted(matches, key=lambda match: (match.key, match.videos))
        self._known = {match.key for match in matches}
        random.Random(seed).shuffle(self.matches)
        self._seed = seed

    def drop(self, match: Match) -> None:
        """Leaves a match out from now on."""
        self.matches.remove(match)

    def counted(self, votes: pa.Table) -> Counter[tuple]:
        """How many votes there are on each of these matches, by its key; those on other videos do not count."""
        return Counter({key: count for key, count in counted(votes).items() if key in self._known})

    def next(self, votes: pa.Table) -> Match | None:
        """The next match given all votes, rows of `VOTES`; None where no match is left."""
        of_match = self.counted(votes)
        of_arms = Counter[tuple]()
        for key, count in of_match.items():
            of_arms[tuple(arm for arm, _ in key[-2:])] += count
        return min(self.matches, key=lambda match: (of_arms[match.arms], of_match[match.key]), default=None)

    def is_turned(self, match: Match, votes: pa.Table) -> bool:
        """Whether the second arm's video stands first: as by tossing a coin, anew for each vote on a match."""
        return random.Random(f"{self._seed} {match.key} {counted(votes)[match.key]}").random() < 0.5


def counted(votes: pa.Table) -> Counter[tuple]:
    """How many votes there are on each match, by its key, whichever arm stood first."""
    return Counter((*vote.round, *vote.sides) for vote in votes_of(votes))
