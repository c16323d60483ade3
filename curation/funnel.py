"""The funnel: where every file, second and clip went, as sums that must hold. A sum that does not is a defect of ours.

What a sum is, how it is shown and stored; `accounts.py` counts them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa

from shards import schema

FUNNEL = pa.schema(
    [
        schema.field("job", pa.string(), "the job that the sum proves"),
        schema.field("sum", pa.string(), "what is summed up: `files`, `videos`, `footage`, a scorer or a rule set"),
        schema.field("what", pa.string(), "the whole, a part of it, or a reason; reasons follow their part"),
        schema.field("role", pa.string(), "whole | part (the parts sum to the whole) | reason (reasons may overlap)"),
        schema.field("count", pa.int64(), "files, videos or clips; null for footage"),
        schema.field("hours", pa.float64(), "length of the footage or clips; null where it was not counted", "h"),
        schema.field("alone", pa.int64(), "clips with this reason and no other; null where no clip can have two"),
        schema.field("holds", pa.bool_(), "whether the sum holds; equal in all its rows"),
    ]
)
MOST_REASONS = 8
DEFECT = "Something was lost or counted twice: a defect of Rushes, not of your footage. Please report this text."


@dataclass(frozen=True)
class Amount:
    """So many of something: files, videos or clips by `count`, footage by `hours`, or both."""

    what: str
    count: int | None = None
    hours: float | None = None
    reasons: dict[str, int] = field(default_factory=dict)
    """Why, most frequent first."""
    alone: dict[str, int] = field(default_factory=dict)
    """How often a reason is the only one, where a clip may have several."""


@dataclass(frozen=True)
class Sum:
    """A whole and the parts that must sum to it."""

    job: str
    name: str
    whole: Amount
    parts: list[Amount]

    @property
    def holds(self) -> bool:
        """Counts agree exactly, hours to one in a million; an amount that nobody counted is not compared."""
        counts, hours = [part.count for part in self.parts], [part.hours for part in self.parts]
        if self.whole.count is not None and self.whole.count != sum(number or 0 for number in counts):
            return False
        if self.whole.hours is None or None in hours:
            return True
        return math.isclose(self.whole.hours, math.fsum(h or 0.0 for h in hours), rel_tol=1e-6, abs_tol=1e-6)


def broken(sums: Iterable[Sum]) -> list[Sum]:
    """The sums that do not hold; if there are any, the command must exit with an error."""
    return [each for each in sums if not each.holds]


def to_table(sums: Iterable[Sum]) -> pa.Table:
    """The funnel as a table of the schema FUNNEL."""
    rows = []
    for each in sums:
        about = {"job": each.job, "sum": each.name, "holds": each.holds, "alone": None}
        for role, amount in [("whole", each.whole), *(("part", part) for part in each.parts)]:
            rows.append({**about, "what": amount.what, "role": role, "count": amount.count, "hours": amount.hours})
            for reason, times in amount.reasons.items():
                alone = amount.alone.get(reason, 0) if amount.alone else None
                why = {"what": reason, "role": "reason", "count": times, "hours": None, "alone": alone}
                rows.append({**about, **why})
    return schema.from_rows(rows, FUNNEL)


def render(sums: list[Sum]) -> str:
    """The funnel as text: a line a sum with its tick or cross, below it the most frequent reasons."""
    lines = []
    for each in sums:
        total = " + ".join(_words(part) for part in each.parts)
        lines.append(f"{'✓' if each.holds else '✗'} {each.job:6} {each.name:10} {_words(each.whole)} = {total}")
        for part in each.parts:
            shown = list(part.reasons.items())[:MOST_REASONS]
            lines += [f"{part.what:>20}: {_why(part, reason, times)}" for reason, times in shown]
            if more := len(part.reasons) - len(shown):
                lines.append(f"{part.what:>20}: {more} more reasons, in funnel.parquet")
    if wrong := [f"{each.job} {each.name}" for each in broken(sums)]:
        lines.append(f"These sums do not hold: {', '.join(wrong)}. {DEFECT}")
    return "\n".join(lines)


def _why(part: Amount, reason: str, times: int) -> str:
    return f"{times:,} {reason}" + (f" ({part.alone.get(reason, 0):,} by this alone)" if part.alone else "")


def _words(amount: Amount) -> str:
    number = "" if amount.count is None else f"{amount.count:,} "
    length = "" if amount.hours is None else _length(amount.hours)
    return f"{number}{amount.what} ({length})" if number and length else f"{number or length + ' '}{amount.what}"


def _length(hours: float) -> str:
    return f"{hours:,.2f} h" if hours >= 1 else f"{hours * 3600:,.1f} s"
