"""Thresholds found on one corpus and carried over to another, as SVD did from LVD-10M to all of LVD."""

from dataclasses import dataclass

from curation.bounds import Limits
from curation.crew import Each
from curation.quantiles import population
from curation.rule import Rule, stated
from curation.rules import Kind, columns_of
from curation.selectable import Selectable
from shards.places import Place, place, reaching
from shards.store import read_json

RECORD = "rules.json"
"""Beside the verdicts of a set: what its rules were, what they resolved to and what they rejected."""


@dataclass(frozen=True)
class Thresholds:
    """What the shares of a set resolved to elsewhere."""

    source: Place
    record: dict
    """What stands there."""

    def identity(self) -> dict:
        """What a set that took these numbers remembers of them."""
        return {"from": str(self.source), **{key: self.record.get(key) for key in ("config_hash", "kept_hash")}}

    def content(self) -> list[dict]:
        """What the source makes of a set, wherever it lies."""
        return self.record["resolved"]

    def limit(self, columns: Selectable, rule: Rule, kind: Kind, each: Each) -> float | Limits:
        """The number that a share of the same rule resolved to there.

        Raises:
            ValueError: there is none, for a group not either, or it was resolved from another share, for other clips,
                on another column, or on scores of another make.
        """
        reason = f"{rule.label}:{kind}"
        known = {entry["reason"]: entry for entry in self.record["resolved"] if "share" in entry}
        if reason not in known:
            raise ValueError(f"{self.source} has no number for {reason}; it has {', '.join(known) or 'none'}")
        _refuse_other_column(self.source, known[reason], rule, columns.makers_of(columns_of(rule)))
        said = {"share": getattr(rule, kind), "by": rule.by, "where": stated(rule.where) if rule.where else None}
        for key, value in said.items():
            if known[reason].get(key) != value:
                raise ValueError(
                    f"{self.source} has {reason} with {key}: {known[reason].get(key)}, and this set says {value}; "
                    "say the same, or write the number as a bound of your own"
                )
        entry = known[reason]
        limit = self._of_groups(columns, rule, entry["groups"], each) if rule.by else _number(entry["limit"])
        if limit is None:
            raise ValueError(f"{self.source} has no number for {reason}: no clip had a value there")
        return limit

    def _of_groups(self, columns: Selectable, rule: Rule, entries: list[dict], each: Each) -> Limits:
        limits = Limits([entry["group"] for entry in entries], [_number(entry["limit"]) for entry in entries])
        for group in population(columns, rule, each).groups or []:
            if group not in limits.groups or limits.numbers[limits.groups.index(group)] is None:
                raise ValueError(f"{self.source} has no number for the group {rule.by}={group!r} of `{rule.label}`")
        return limits


def _refuse_other_column(source: Place, entry: dict, rule: Rule, made_by: dict[str, str]) -> None:
    """Compares the column that a number was found on with the one that it is to hold for, and what made both."""
    reason = entry["reason"]
    if not {"column", "made_by"} <= entry.keys():
        raise ValueError(
            f"{source} does not say on which column {reason} was found, nor what made that: it is of an older version. "
            "Run JOB=filter on that corpus again"
        )
    if entry["column"] != rule.column:
        raise ValueError(
            f"{source} has {reason} on the column {entry['column']}, and this set on {rule.column}; rename one of the "
            "rules, or write the number as a bound of your own"
        )
    for column in columns_of(rule):
        there, here = (found.get(column, "an unknown one") for found in (entry["made_by"], made_by))
        if there != here:
            raise ValueError(
                f"{source} has {reason}, but its `{column}` was made with another configuration or other weights: "
                f"{there} there, {here} here (`hash` in the config.json of its score table). Score both corpora alike "
                "and run JOB=filter there again, or write the number as a bound of your own"
            )


def _number(limit: float | str | None) -> float | None:
    """What `Bound.record` wrote; what is infinite it wrote as text."""
    return float(limit) if isinstance(limit, str) else limit


def record_of(source: str, set_name: str) -> Place:
    """Where the numbers stand that a set takes: the source itself, or the record of the set of this name there."""
    where = place(source)
    return where if where.suffix == ".json" else where / "verdicts" / set_name / RECORD


def read_thresholds(source: str, set_name: str) -> Thresholds:
    """The resolved numbers of a set of another corpus.

    Args:
        source: folder of the corpus, whose set of the same name counts, or the `rules.json` of any set.
        set_name: the set that takes them.

    Raises:
        ValueError: there are none; says where they were looked for.
    """
    path = record_of(source, set_name)
    with reaching(path):
        if not path.exists():
            raise ValueError(f"there is no {path}; filter that corpus first, or name the {RECORD} of another set")
    record = read_json(path)
    if "resolved" not in record:
        raise ValueError(f"{path} holds no resolved thresholds; name the {RECORD} of a set's verdicts")
    return Thresholds(path, record)
