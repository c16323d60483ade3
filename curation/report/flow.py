"""The funnel as the page draws it: footage that grows less from job to job, for each set."""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.funnel import Amount, Sum

GOOD = {"unique videos", "split", "in clips", "scored", "unlike any other", "best of a group", "kept", "train", "val"}
BAD = {"failed", "quarantined", "rejected", "failed to decode"}


@dataclass(frozen=True)
class Step:
    """A bar."""

    what: str
    count: int | None
    hours: float | None
    share: float
    """0..1 of the first bar."""


def steps(sums: Sequence[Sum], rule_set: str | None) -> list[Step]:
    """Footage decoded, in clips, kept, packed: as far as the corpus has come."""
    known = {(each.job, each.name): each for each in sums}
    footage = known.get(("split", "footage"))
    if footage is None or not footage.whole.hours:
        return []
    filtered, packed = known.get(("filter", rule_set or "")), known.get(("pack", rule_set or ""))
    amounts = [footage.whole, footage.parts[0]]
    if filtered:
        kept = filtered.parts[0]
        amounts = [footage.whole, Amount("in clips", filtered.whole.count, filtered.whole.hours)]
        amounts.append(Amount(f"kept by {rule_set}", kept.count, kept.hours))
        if packed and kept.count:
            number = sum(part.count or 0 for part in packed.parts if part.what in ("train", "val"))
            amounts.append(Amount("packed", number, (kept.hours or 0) * number / kept.count))
    return [Step(a.what, a.count, a.hours, (a.hours or 0) / footage.whole.hours) for a in amounts]


def tone(part: Amount) -> str:
    """How a part of a sum is coloured: `good`, `bad`, or `rest`."""
    return "good" if part.what in GOOD else "bad" if part.what in BAD else "rest"


def shares(each: Sum) -> list[float]:
    """Of the parts, 0..1 of their sum; of counts if all have one, else of hours."""
    counted = all(part.count is not None for part in each.parts)
    sizes = [(part.count if counted else part.hours) or 0 for part in each.parts]
    return [size / sum(sizes) if sum(sizes) else 0.0 for size in sizes]
