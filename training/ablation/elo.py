"""Elo ratings of arms from votes on them, as Stable Video Diffusion ranks models (arXiv 2311.15127).

After a comparison of A and B that A won (S = 1), lost (0) or drew (1/2), R_A grows by K (S - E) and R_B falls by as
much; E = 1 / (1 + 10^((R_B - R_A) / 400)) was expected of A. All begin at 1000, and K = 1.

What comes out depends on the order of the votes, since a later one finds other ratings. No order is the right one, so a
rating is the mean over 1,000 random orders: it depends on the votes alone, but for what 1,000 orders leave to chance.

With K = 1 ratings move slowly: they rank arms that were voted on about as often as each other. How far they are apart
grows with the number of votes, so ratings from different sets of votes cannot be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from training.ablation.compare import BASELINE

START, K, SCALE = 1000.0, 1.0, 400.0
DRAWS = 1000
TAILS = (0.025, 0.5, 0.975)
SCORES = {"first": 1.0, "second": 0.0, "tie": 0.5}
VOID = (0, 0, 0.5)
"""A game of an arm with itself changes nothing: it fills up a draw that is shorter than others."""


@dataclass(frozen=True)
class Rating:
    """The rating of an arm; None where nobody voted on it."""

    arm: str
    num_votes: int
    """Votes on videos of the arm."""
    rating: float | None
    """Mean over random orders of the votes."""
    median: float | None
    """Median over draws of votes."""
    low: float | None
    """Lower end of the 95 % interval over draws; None where all votes are on one caption."""
    high: float | None
    """Upper end."""
    lead: float | None = None
    """Mean over orders of the rating minus that of the baseline; None of the baseline itself, and without it."""
    lead_low: float | None = None
    """Lower end of its 95 % interval over draws, in each of which both play; None where `low` is."""
    lead_high: float | None = None
    """Upper end."""

    @property
    def beats_baseline(self) -> bool:
        """Whether the whole interval of the lead is above 0."""
        return self.lead_low is not None and self.lead_low > 0


def rate(
    votes: pa.Table,
    arms: Sequence[str] = (),
    seed: int = 0,
    draws: int = DRAWS,
    resample: bool = True,
    baseline: str = BASELINE,
) -> list[Rating]:
    """Rates arms, the best first; those without votes come last.

    The interval comes from votes drawn with replacement. Votes on one caption are not independent, nor are those on one
    training of an arm, so whole captions (with the seed of the noise) and whole trial seeds are drawn, as rows and
    columns of a table: the pigeonhole bootstrap (Owen 2007, arXiv 0712.1111). To draw single votes would make intervals
    far too narrow. Two or three trial seeds tell little of how trainings differ, so these are still on the narrow side.

    Args:
        votes: rows of `VOTES`.
        arms: to list, besides those that were voted on.
        seed: of orders and draws.
        draws: how many of each.
        resample: False takes the interval over orders of all votes, as the paper does; that says nothing of other
            captions or trainings.
        baseline: arm that leads are over.

    Returns:
        Ratings whose mean over the arms with votes is 1000.
    """
    games, rng = _Games(votes), np.random.default_rng(seed)
    unseen = [Rating(arm, 0, None, None, None, None) for arm in sorted({*arms} - {*games.arms})]
    if not games.arms:
        return unseen
    shuffled = games.play(games.shuffled(rng, draws))
    drawn = games.play(games.drawn(rng, draws)) if resample else shuffled
    rated = [games.rating(number, shuffled, drawn, baseline) for number in range(len(games.arms))]
    if resample and games.num_captions == 1:
        rated = [replace(each, low=None, high=None, lead_low=None, lead_high=None) for each in rated]
    return sorted(rated, key=lambda each: each.rating or 0.0, reverse=True) + unseen


def expected(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The score, 0..1, that is expected of ratings against others."""
    return 1.0 / (1.0 + 10.0 ** ((other - own) / SCALE))


class _Games:
    """Votes as numbers; equal games have one number, their kind, so that 1,000 orders of them are small."""

    def __init__(self, votes: pa.Table) -> None:
        columns = {name: votes.column(name).to_pylist() for name in votes.column_names}
        self.arms = sorted({*columns["first"], *columns["second"]})
        number = {arm: i for i, arm in enumerate(self.arms)}
        told = zip(columns["first"], columns["second"], columns["outcome"], strict=True)
        games = [VOID, *((number[first], number[second], SCORES[outcome]) for first, second, outcome in told)]
        kinds, of_games = np.unique(np.array(games), axis=0, return_inverse=True)
        self._first, self._second = kinds[:, :2].astype(int).T
        self._score = kinds[:, 2]
        of_games = of_games.astype(np.min_scalar_type(len(kinds)))
        self._void, self._kinds = of_games[0], of_games[1:]
        captions = list(zip(columns["caption"], columns["video_seed"], strict=True))
        self._caption, self.num_captions = _numbered(captions)
        self._trial, self.num_trials = _numbered(columns["trial_seed"])

    def rating(self, arm: int, shuffled: np.ndarray, drawn: np.ndarray, baseline: str) -> Rating:
        """The rating of an arm, by its number, from those after each order of all games, and after each draw:
        (draws, arms)."""
        num_votes = int(((self._first == arm) | (self._second == arm))[self._kinds].sum())
        low, median, high = np.quantile(drawn[:, arm], TAILS).tolist()
        rated = Rating(self.arms[arm], num_votes, float(shuffled[:, arm].mean()), median, low, high)
        if baseline not in self.arms or baseline == self.arms[arm]:
            return rated
        base = self.arms.index(baseline)
        lead_low, _, lead_high = np.quantile(drawn[:, arm] - drawn[:, base], TAILS).tolist()
        lead = float((shuffled[:, arm] - shuffled[:, base]).mean())
        return replace(rated, lead=lead, lead_low=lead_low, lead_high=lead_high)

    def shuffled(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Random orders of all games: their kinds, (draws, games)."""
        return rng.permuted(np.tile(self._kinds, (draws, 1)), axis=1)

    def drawn(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Games of captions and trial seeds that are drawn with replacement, in random order, (draws, most games)."""
        captions, trials = (_counts(rng, number, draws) for number in (self.num_captions, self.num_trials))
        times = captions[:, self._caption] * trials[:, self._trial]  # (draws, games)
        orders = np.full((draws, times.sum(axis=1).max()), self._void, self._kinds.dtype)
        for order, each in zip(orders, times, strict=True):
            order[: each.sum()] = rng.permutation(np.repeat(self._kinds, each))
        return orders

    def play(self, orders: np.ndarray) -> np.ndarray:
        """Ratings, (draws, arms), after games in these orders; all draws are played side by side."""
        ratings = np.full((len(orders), len(self.arms)), START)
        flat, begin = ratings.reshape(-1), np.arange(len(orders)) * len(self.arms)
        for kinds in orders.T:
            first, second = begin + self._first[kinds], begin + self._second[kinds]
            a, b = flat[first], flat[second]
            gain = K * (self._score[kinds] - expected(a, b))
            flat[first], flat[second] = a + gain, b - gain
        return ratings


def _numbered(values: list) -> tuple[np.ndarray, int]:
    numbers = {value: i for i, value in enumerate(dict.fromkeys(values))}
    return np.array([numbers[value] for value in values], int), len(numbers)


def _counts(rng: np.random.Generator, number: int, draws: int) -> np.ndarray:
    """How often each of `number` things comes when as many are drawn with replacement, uint16 (draws, number)."""
    return rng.multinomial(number, np.full(number, 1 / number), size=draws).astype(np.uint16)
