"""From rules to bounds: what a rule means, what it may say, and the numbers its quantiles resolve to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from typing import Literal

import numpy as np

from curation.config import Rule, RuleSet

Kind = Literal["min", "max", "drop_bottom", "drop_top", "null"]
SIDES: tuple[Kind, ...] = ("min", "max", "drop_bottom", "drop_top")
QUANTILES: tuple[Kind, ...] = ("drop_bottom", "drop_top")


@dataclass(frozen=True)
class Bound:
    """One way in which a clip can fail; its reason is `<column>:<kind>`."""

    column: str
    kind: Kind
    limit: float | None
    """`min`, `drop_bottom`: fails below it. `max`, `drop_top`: fails above it. None: no value fails."""

    @property
    def reason(self) -> str:
        """What `rejected_by` says."""
        return f"{self.column}:{self.kind}"

    def fails(self, values: np.ndarray) -> np.ndarray:
        """Which of the values, (rows,) numbers with NaN for null, fail: (rows,) bool. NaN fails `null` alone."""
        if self.kind == "null":
            return np.isnan(values)
        if self.limit is None:
            return np.zeros(len(values), bool)
        return values < self.limit if self.kind in ("min", "drop_bottom") else values > self.limit


def check(name: str, rule_set: RuleSet, columns: Sequence[str]) -> None:
    """Refuses a set whose rules make no sense or name a column that is none of `columns`.

    Raises:
        ValueError: names the set, the rule, and what is possible.
    """
    stated: Counter[tuple[str, Kind]] = Counter()
    for rule in rule_set.rules:
        where = f"sets.{name}: rule on `{rule.column}`"
        if rule.column not in columns:
            close = get_close_matches(rule.column, columns)
            others = [column for column in sorted(columns) if column not in close]
            raise ValueError(f"{where}: no such column of numbers; there are {', '.join([*close, *others])}")
        if fault := _fault(rule):
            raise ValueError(f"{where}: {fault}")
        stated.update((rule.column, kind) for kind in _sides(rule))
    for (column, kind), times in stated.items():
        if times > 1:
            raise ValueError(f"sets.{name}: {times} rules state `{kind}` for `{column}`; keep one")


def quantile(values: np.ndarray, share: float, top: bool = False) -> float | None:
    """The value at which a share of the lowest (or, with `top`, highest) values ends; it is one of the values.

    Let v[0] <= ... <= v[n-1] be the values and k = floor(share * n), at most n - 1: v[k], or v[n-1-k] with `top`.
    Exactly k values lie beyond it if its neighbour on that side differs from it, else fewer: ties stay. None if n = 0.

    Args:
        values: (n,) numbers, no NaN.
        share: 0..1, taken as the decimal that was written (0.29 of 100 is 29).
    """
    if not len(values):
        return None
    k = min(int(Fraction(str(share)) * len(values)), len(values) - 1)
    k = len(values) - 1 - k if top else k
    return np.partition(values, k)[k].item()


def resolve(rule: Rule, values: np.ndarray) -> list[Bound]:
    """The rule's bounds with their numbers.

    Args:
        rule: a rule that `check` let pass.
        values: (n,) the column's values over the whole set, no NaN; only quantiles read them.
    """
    limits: dict[Kind, float | None] = {
        kind: quantile(values, stated, top=kind == "drop_top") if kind in QUANTILES else stated
        for kind, stated in _sides(rule).items()
    }
    bounds = [Bound(rule.column, kind, limit) for kind, limit in limits.items()]
    return bounds + ([Bound(rule.column, "null", None)] if rule.if_null == "reject" else [])


def _sides(rule: Rule) -> dict[Kind, float]:
    sides: dict[Kind, float | None] = {kind: getattr(rule, kind) for kind in SIDES}
    return {kind: stated for kind, stated in sides.items() if stated is not None}


def _fault(rule: Rule) -> str | None:
    sides = _sides(rule)
    shares = [sides[kind] for kind in QUANTILES if kind in sides]
    if not sides:
        return "it has no bound; give min, max, drop_bottom or drop_top"
    if any(np.isnan(stated) for stated in sides.values()):
        return "a bound is not a number"
    if any(not 0 <= share <= 1 for share in shares) or sum(shares) > 1:
        return f"a share to drop lies in 0..1, and both sides together too; it says {shares}"
    if sides.get("min", -np.inf) > sides.get("max", np.inf):
        return f"min {rule.min} is above max {rule.max}, so nothing could pass"
    return None
