"""The lines that rules draw through scores, as `verdicts/<set>/rules.json` resolved them."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from curation.rules import SIDES
from curation.tables import Corpus
from shards.places import reaching
from shards.store import read_json

BELOW = ("min", "drop_bottom")
"""Kinds that reject what lies below their limit; the others of SIDES reject what lies above."""
MAX_GROUPS = 8
"""Of a rule that has a limit for each group, so many are shown."""


@dataclass(frozen=True)
class Line:
    """A limit on a column and the sets that draw it."""

    column: str
    fails_below: bool
    limit: float
    group: str = ""
    """The group of clips that it is for; empty: all."""
    reasons: dict[str, str] = field(default_factory=dict, hash=False)
    """Set -> the reason that its clips are rejected for."""

    @property
    def words(self) -> str:
        """E.g. `at least 0.05`."""
        bound = f"{'at least' if self.fails_below else 'at most'} {self.limit:.4g}"
        return f"{bound} ({self.group})" if self.group else bound


def read_rules(corpus: Corpus, sets: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`rules.json` of each set that was filtered, by its name."""
    found = {}
    for name in sets:
        path = corpus.folder(f"verdicts/{name}") / "rules.json"
        with reaching(path):
            if path.exists():
                found[name] = read_json(path)
    return found


def lines(rules: Mapping[str, Mapping[str, Any]], columns: Collection[str]) -> list[Line]:
    """The lines of all sets, each once, in the order of the columns and then of their limits.

    Args:
        rules: as `read_rules` gives them.
        columns: names of the scores; rules on other columns draw no line.
    """
    merged: dict[tuple, dict[str, str]] = {}
    for name, record in rules.items():
        for column, kind, limits, reason in _resolved(record):
            for group, limit in limits.items() if column in columns else ():
                merged.setdefault((column, kind in BELOW, limit, group), {})[name] = reason
    order = {column: place for place, column in enumerate(columns)}
    found = [Line(*key, reasons=reasons) for key, reasons in merged.items()]
    return sorted(found, key=lambda line: (order[line.column], line.limit, not line.fails_below, line.group))


def _resolved(record: Mapping[str, Any]) -> Iterable[tuple[str, str, dict[str, float], str]]:
    """Column, kind, limits by group, and reason of what has a limit; a rule with a name has it in its reasons."""
    named = {rule["name"]: rule for rule in record.get("rules", []) if rule.get("name")}
    for bound in record.get("resolved", []):
        reason = bound["reason"]
        stem, _, kind = reason.rpartition(":")
        rule = named.get(stem) or named.get(reason) or {}
        if kind not in SIDES:
            kind = next((side for side in SIDES if rule.get(side) is not None), "")
        limits = bound.get("limit")
        by_group = limits if isinstance(limits, dict) else {"": limits}
        known = {str(group): float(limit) for group, limit in sorted(by_group.items()) if _is_number(limit)}
        if kind in SIDES and known:
            column = bound.get("column") or rule.get("column") or stem
            yield column, kind, dict(list(known.items())[:MAX_GROUPS]), reason


def _is_number(limit: object) -> bool:
    return isinstance(limit, int | float) and not isinstance(limit, bool) and math.isfinite(limit)
