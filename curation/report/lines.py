"""The lines that rules draw through scores, as `verdicts/<set>/rules.json` resolved them."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as types

from curation.tables import Corpus
from shards.places import reaching
from shards.store import read_json

BELOW = ("min", "drop_bottom")
"""Kinds that reject what lies below their limit ..."""
ABOVE = ("max", "drop_top")
"""... and above it; other kinds draw no line."""
MAX_GROUPS = 8
"""Of a rule that has a limit for each group, so many are shown."""
MOST_LINES = 240
"""Of all scores and sets together: each has pictures on either side, so this bounds the page."""


@dataclass(frozen=True)
class Line:
    """A limit on a column and the sets that draw it."""

    column: str
    fails_below: bool
    limit: float
    group: str = ""
    """The group of clips that it is for; empty: all."""
    where: str = ""
    """The condition, in words, of the clips that it is for; empty: all."""
    reasons: dict[str, str] = field(default_factory=dict, hash=False)
    """Set -> the reason that its clips are rejected for."""

    @property
    def words(self) -> str:
        """E.g. `at least 0.05`."""
        bound = f"{'at least' if self.fails_below else 'at most'} {self.limit:.4g}"
        told = ", ".join(filter(None, (self.group, self.where and f"where {self.where}")))
        return f"{bound} ({told})" if told else bound


def read_rules(corpus: Corpus, sets: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`rules.json` of each set that was filtered, by its name."""
    found = {}
    for name in sets:
        path = corpus.folder(f"verdicts/{name}") / "rules.json"
        with reaching(path):
            if path.exists():
                found[name] = read_json(path)
    return found


def lines(rules: Mapping[str, Mapping[str, Any]], columns: Mapping[str, pa.DataType]) -> list[Line]:
    """The lines of all sets, each once, in the order of the columns and then of their limits.

    Args:
        rules: as `read_rules` gives them.
        columns: scores by name, with their types; rules on other columns draw no line.
    """
    merged: dict[tuple, dict[str, str]] = {}
    for name, record in rules.items():
        named = {rule["name"]: rule for rule in record.get("rules", []) if rule.get("name")}
        for bound in record.get("resolved", []):
            column, kind, where = _subject(bound, named)
            if column in columns and kind in BELOW + ABOVE:
                for group, limit in _limits(bound):
                    key = (column, kind in BELOW, _as_compared(limit, columns[column]), group, where)
                    merged.setdefault(key, {})[name] = bound["reason"]
    order = {column: place for place, column in enumerate(columns)}
    found = [Line(*key, reasons=reasons) for key, reasons in merged.items()]
    return sorted(found, key=lambda line: (order[line.column], line.limit, not line.fails_below, line.words))


def most_telling(found: Sequence[Line], rules: Mapping[str, Mapping[str, Any]], most: int = MOST_LINES) -> list[Line]:
    """At most so many of the lines, in their order: of each score the one that takes most clips, then the next, ..."""
    nth, seen = {}, Counter()
    for line in sorted(found, key=lambda line: -_takes(line, rules)):
        nth[line] = seen[line.column]
        seen[line.column] += 1
    chosen = set(sorted(nth, key=nth.__getitem__)[:most])
    return [line for line in found if line in chosen]


def _takes(line: Line, rules: Mapping[str, Mapping[str, Any]]) -> int:
    """Most clips that it takes from a set."""
    told = [rules[name].get("reasons", {}).get(reason, {}) for name, reason in line.reasons.items()]
    return max((by.get("clips", 0) for by in told), default=0)


def _subject(bound: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> tuple[str, str, str]:
    """Column, kind and condition of what has a limit; the reason of a rule with a name tells that, not the column."""
    label, _, kind = bound["reason"].rpartition(":")
    where = bound.get("where") or {}
    told = " and ".join(f"{where.get('column')} {key} {value}" for key, value in where.items() if key != "column")
    return named.get(label, {}).get("column") or label, kind, told


def _limits(bound: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Group and limit; without groups one, of no name."""
    groups = bound.get("groups") or [{"group": "", "limit": bound.get("limit")}]
    known = [(str(each["group"]), float(each["limit"])) for each in groups if _is_number(each["limit"])]
    return sorted(known)[:MAX_GROUPS]


def _as_compared(limit: float, dtype: pa.DataType) -> float:
    """The limit rounded as the column is, as `filter` compares them: a stored 0.7 is not below 0.7."""
    with np.errstate(over="ignore"):
        rounded = float(dtype.to_pandas_dtype()(limit)) if types.is_floating(dtype) else limit
    return rounded if math.isfinite(rounded) else limit


def _is_number(limit: object) -> bool:
    return isinstance(limit, int | float) and not isinstance(limit, bool) and math.isfinite(limit)
