"""What each rule of a set costs: by itself, after those before it, and clips that it alone rejects."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from curation.block import REASON as BLOCKED
from curation.bounds import Bound, Limits
from curation.judge import DUPLICATE, Summary
from curation.rule import Rule, stated
from curation.rules import kinds, reject_null

HEAD = ("rule", "rejects by itself", "left in sequence", "only this one")


@dataclass(frozen=True)
class Amount:
    """So many clips, and their length."""

    clips: int
    seconds: float

    def __str__(self) -> str:
        """E.g. `24 (50.1 s)`."""
        length = f"{self.seconds / 3600:,.2f} h" if self.seconds >= 3600 else f"{self.seconds:,.1f} s"
        return f"{self.clips:,} ({length})"


@dataclass(frozen=True)
class Cost:
    """What one rule, the block list or the choice among duplicates rejects."""

    what: str
    """The rule in words, with the numbers that its shares resolved to."""
    by_itself: Amount
    """All that it rejects."""
    left: Amount
    """What is left once it and all before it have rejected."""
    only: Amount
    """What it rejects and nothing else does."""


def costs(rules: Iterable[Rule], summary: Summary) -> list[Cost]:
    """What each rule rejects, in their order; then the block list, if there is one, and duplicates."""
    parts = [(_words(rule, summary.reasons.bounds), _reasons(rule)) for rule in rules]
    parts += [(name, {name}) for name in (BLOCKED, DUPLICATE) if name in summary.reasons.names]
    fails = [summary.having(mine) for _, mine in parts]
    times = np.sum(np.array(fails), axis=0)
    is_left, found = np.ones(len(summary.clips), bool), []
    for (what, _), failed in zip(parts, fails, strict=True):
        is_left = is_left & ~failed
        found.append(Cost(what, *(amount(summary, chosen) for chosen in (failed, is_left, failed & (times == 1)))))
    return found


def amount(summary: Summary, chosen: np.ndarray) -> Amount:
    """Clips of the chosen combinations, (combinations,) bool."""
    clips, seconds = summary.sizes()
    return Amount(int(clips[chosen].sum()), float(seconds[chosen].sum()))


def render(name: str, rules: Iterable[Rule], summary: Summary) -> str:
    """The retention of a set as text: a line a rule."""
    everything = amount(summary, np.ones(len(summary.clips), bool))
    kept = amount(summary, ~summary.having())
    rows = [HEAD, *((each.what, *map(str, (each.by_itself, each.left, each.only))) for each in costs(rules, summary))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"filter {name}: {str(everything).replace(' ', ' clips ', 1)}"]
    for row in rows:
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(["", first.lstrip().ljust(widths[0]), *others]))
    share = kept.clips / everything.clips if everything.clips else 0.0
    return "\n".join([*lines, f"  kept: {kept}, {share:.1%} of the clips"])


def _reasons(rule: Rule) -> set[str]:
    return {f"{rule.label}:{kind}" for kind in [*kinds(rule), *(["null"] if reject_null(rule) else [])]}


def _words(rule: Rule, bounds: Iterable[Bound]) -> str:
    said = [_bound_words(bound) for bound in bounds if bound.rule is rule and bound.kind not in ("null", "is_null")]
    said += [f"is_null {rule.is_null}".lower()] if rule.is_null is not None else []
    if rule.where:
        met = ", ".join(f"{key} {value}" for key, value in stated(rule.where).items() if key != "column")
        said.append(f"where {rule.where.column} {met}")
    return f"{rule.label} {', '.join(said)}"


def _bound_words(bound: Bound) -> str:
    if bound.share is None:
        return f"{bound.kind} {bound.limit}"
    found = f"{bound.limit:.4g}" if isinstance(bound.limit, float | int) else "no value"
    if isinstance(bound.limit, Limits):
        found = f"{len(bound.limit.groups)} groups of {bound.rule.by}"
    return f"{bound.kind} {bound.share:g} ({found})"
