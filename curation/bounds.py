"""Which clips fail a bound: each rule becomes bounds, with their numbers, and each bound has a reason of its own."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as types

from curation.equality import listed, values_of
from curation.rule import Condition, Rule, stated
from curation.rules import QUANTILES, Kind, kinds, reject_null


@dataclass(frozen=True)
class Limits:
    """Numbers to which a quantile resolved, one for each group of clips."""

    groups: list
    """Values of the column that makes the groups; None is that of clips without one."""
    numbers: list[float | None]
    """For each group; None where it has no value, so that none fails."""

    def of(self, column: pa.ChunkedArray, dtype: np.dtype) -> np.ndarray:
        """The number that holds for each clip, (rows,); NaN where there is none."""
        place = pc.index_in(column, value_set=pa.array(self.groups, column.type))
        return pa.array(self.numbers, pa.float64()).take(place).to_numpy(zero_copy_only=False).astype(dtype)


@dataclass(frozen=True, eq=False)
class Bound:
    """One way in which a clip can fail; its reason is `<name or column of the rule>:<kind>`."""

    rule: Rule
    kind: Kind
    limit: Any
    """What the rule states, or what its share resolved to: a number, `Limits` of groups, or None, which fails none."""
    share: float | None = None
    """What the limit of a quantile was resolved from."""

    @property
    def reason(self) -> str:
        """What `rejected_by` says."""
        return f"{self.rule.label}:{self.kind}"

    def fails(self, rows: pa.Table) -> np.ndarray:
        """Which clips fail, (rows,) bool. A missing value (null or NaN) fails `null` alone, and never `is_null`."""
        failed = self._fails(rows)
        return failed & holds(self.rule.where, rows) if self.rule.where else failed

    def record(self, made_by: Mapping[str, str]) -> dict:
        """What `rules.json` says: the reason, its number (or one for each group), and what that was resolved from.

        Args:
            made_by: column that the rule reads -> hash of the configuration that made it; told of a share.
        """
        told = {"reason": self.reason, "column": self.rule.column, "limit": _as_json(self.limit)}
        if isinstance(self.limit, Limits):
            groups = zip(self.limit.groups, self.limit.numbers, strict=True)
            told |= {"groups": [{"group": group, "limit": _as_json(number)} for group, number in groups]}
        elif self.kind == "equals":
            told |= {"limit": None, "equals": listed(self.limit)}
        told |= {"share": self.share, "made_by": dict(made_by)} if self.share is not None else {}
        told |= {"by": self.rule.by} if self.share is not None and self.rule.by else {}
        return told | ({"where": stated(self.rule.where)} if self.rule.where else {})

    def _fails(self, rows: pa.Table) -> np.ndarray:
        column = rows[self.rule.column]
        if self.kind == "null":
            return is_missing(column)
        if self.kind == "is_null":
            return ~is_missing(column)
        if self.kind == "equals":
            return ~is_missing(column) & ~is_one_of(column, values_of(self.limit, column.type))
        values = numbers(column)
        if self.limit is None:
            return np.zeros(len(values), bool)
        limit = self.limit.of(rows[self.rule.by], values.dtype) if isinstance(self.limit, Limits) else self.limit
        with np.errstate(over="ignore"):  # a limit beyond what the column can hold
            return values < limit if self.kind in ("min", "drop_bottom") else values > limit


def _as_json(limit: Any) -> Any:
    """As it is, but for what JSON has no number: the text `Infinity` or `-Infinity`, which `float` reads."""
    if isinstance(limit, float) and math.isinf(limit):
        return "Infinity" if limit > 0 else "-Infinity"
    return None if isinstance(limit, Limits) else limit


Resolve = Callable[[Rule, Kind], float | Limits | None]
"""Gives the number of a share that a rule drops, `drop_bottom` or `drop_top`."""


def bounds_of(rule: Rule, resolve: Resolve) -> list[Bound]:
    """The bounds of a rule in the order of its keys, `null` last.

    Args:
        rule: one that `check` let pass.
        resolve: says to what its shares resolve.
    """
    found = []
    for kind, value in kinds(rule).items():
        if kind in QUANTILES:
            found.append(Bound(rule, kind, resolve(rule, kind), share=getattr(rule, kind)))
        elif kind != "is_null" or value:  # what `is_null: false` rejects is `null`
            found.append(Bound(rule, kind, value))
    return found + ([Bound(rule, "null", None)] if reject_null(rule) else [])


def holds(condition: Condition, rows: pa.Table) -> np.ndarray:
    """Which clips meet a condition, (rows,) bool."""
    rule = Rule(condition.column, **{key: value for key, value in kinds(condition).items()})  # pyright: ignore[reportArgumentType]
    return ~np.logical_or.reduce([bound.fails(rows) for bound in bounds_of(rule, lambda rule, kind: None)])


def numbers(column: pa.ChunkedArray) -> np.ndarray:
    """A column as (rows,) numbers with NaN for null; floats keep their width, so that a limit of 0.7 keeps a 0.7."""
    return (column if types.is_floating(column.type) else column.cast(pa.float64())).to_numpy()


def is_missing(column: pa.ChunkedArray) -> np.ndarray:
    """Where it is null or NaN, (rows,) bool."""
    return pc.is_null(column, nan_is_null=True).to_numpy()


def is_one_of(column: pa.ChunkedArray, values: pa.Array) -> np.ndarray:
    """Where it is one of the values, (rows,) bool."""
    return pc.is_in(column, value_set=values).to_numpy()
