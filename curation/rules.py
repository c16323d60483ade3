"""What a rule may say: every mistake that can be told from the columns' types is told before any work starts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.types as types

from curation.config import RuleSet
from curation.equality import is_text, listed, value_of
from curation.joined import is_number
from curation.rule import Condition, Rule

Kind = Literal["min", "max", "drop_bottom", "drop_top", "equals", "is_null", "null"]
"""How a clip can fail; all but `null` are keys of a rule."""
SIDES: tuple[Kind, ...] = ("min", "max", "drop_bottom", "drop_top")
QUANTILES: tuple[Kind, ...] = ("drop_bottom", "drop_top")
KEYS: tuple[Kind, ...] = (*SIDES, "equals", "is_null")


def check(name: str, rule_set: RuleSet, columns: Mapping[str, pa.DataType]) -> None:
    """Refuses a set whose rules make no sense or name a column that is none of `columns`.

    Raises:
        ValueError: names the set, the rule, and what is possible.
    """
    told: Counter[tuple[str, Kind]] = Counter()
    for rule in rule_set.rules:
        where = f"sets.{name}: rule on `{rule.column}`"
        for fault in _faults(rule, columns):
            raise ValueError(f"{where}: {fault}")
        told.update((rule.label, kind) for kind in kinds(rule))
    for (label, kind), times in told.items():
        if times > 1:
            raise ValueError(
                f"sets.{name}: {times} rules state `{kind}` for `{label}`; keep one, or name one (`name:`)"
            )


def kinds(part: Rule | Condition) -> dict[Kind, object]:
    """What a rule or condition states of its column: key -> value."""
    found: dict[Kind, object] = {kind: getattr(part, kind, None) for kind in KEYS}
    return {kind: value for kind, value in found.items() if value is not None}


def reject_null(rule: Rule) -> bool:
    """Whether a missing value fails the rule."""
    return not rule.is_null and (rule.if_null == "reject" or rule.is_null is False)


def columns_of(rule: Rule) -> list[str]:
    """The columns that it reads, each once."""
    also = [rule.where.column] if rule.where else []
    return list(dict.fromkeys([rule.column, *also, *([rule.by] if rule.by else [])]))


def _faults(rule: Rule, columns: Mapping[str, pa.DataType]) -> Iterable[str]:
    if not kinds(rule):
        yield "it has no bound; give min, max, drop_bottom, drop_top, equals or is_null"
    yield from _faults_of(rule, columns)
    if rule.where and not kinds(rule.where):
        yield "`where` has no bound; give min, max, equals or is_null"
    if rule.where:
        yield from (f"`where`: {fault}" for fault in _faults_of(rule.where, columns))
    if rule.by:
        yield from _group_faults(rule, rule.by, columns)
    yield from _share_faults(rule)
    if rule.is_null is False and rule.if_null == "keep":
        yield "`is_null: false` rejects what `if_null: keep` keeps"
    if rule.name is not None and not rule.name.isidentifier():
        yield f"its name `{rule.name}` must be letters, digits and underscores"


def _faults_of(part: Rule | Condition, columns: Mapping[str, pa.DataType]) -> Iterable[str]:
    """What is wrong with what is stated of a column."""
    said, numeric = kinds(part), [name for name, dtype in columns.items() if is_number(dtype)]
    sides = [kind for kind in SIDES if kind in said]
    if part.column not in columns:
        yield f"no such column{_of_those(part.column, numeric if sides else list(columns))}"
    elif sides and part.column not in numeric:
        yield f"{sides[0]} is for numbers, and `{part.column}` is {columns[part.column]}{_of_those('', numeric)}"
    elif "equals" in said:
        yield from _misfits(part, columns[part.column])
    if any(np.isnan(getattr(part, kind)) for kind in sides):
        yield "a bound is not a number"
    if any(np.isinf(getattr(part, kind)) for kind in sides):
        yield "a bound is infinite; leave it out, or give a number"
    if "min" in said and "max" in said and part.min > part.max:  # pyright: ignore[reportOperatorIssue]
        yield f"min {part.min} is above max {part.max}, so nothing could pass"
    if part.is_null and len(said) > 1:
        yield "`is_null: true` wants no value, which meets no other bound; make two rules of it"


def _misfits(part: Rule | Condition, dtype: pa.DataType) -> Iterable[str]:
    if not listed(part.equals):
        yield "equals names no value, so nothing could pass"
    for value in listed(part.equals):
        try:
            known = value_of(value, dtype)
        except (pa.ArrowException, OverflowError):
            way_out = "; put texts in quotes" if is_text(dtype) else ""
            yield f"equals {value!r} is not of the type of `{part.column}`, {dtype}{way_out}"
        else:
            if types.is_floating(dtype) and not np.isfinite(known[0].as_py()):
                yield f"equals {value} is no number that a value can be found to equal"


def _group_faults(rule: Rule, by: str, columns: Mapping[str, pa.DataType]) -> Iterable[str]:
    fit = [name for name, dtype in columns.items() if _makes_groups(dtype)]
    if by not in fit:
        yield f"by: `{by}` is {columns.get(by, 'no column')}; it takes texts or whole numbers{_of_those(by, fit)}"
    if not any(kind in kinds(rule) for kind in QUANTILES):
        yield "by: is for shares; add drop_bottom or drop_top"


def _makes_groups(dtype: pa.DataType) -> bool:
    return is_text(dtype) or types.is_integer(dtype) or types.is_boolean(dtype)


def _share_faults(rule: Rule) -> Iterable[str]:
    shares = [share for share in (rule.drop_bottom, rule.drop_top) if share is not None]
    if any(not 0 <= share <= 1 for share in shares) or sum(shares) > 1:
        yield f"a share to drop lies in 0..1, and both sides together too; it says {shares}"


def _of_those(name: str, columns: list[str]) -> str:
    close = get_close_matches(name, columns)
    return f"; there are {', '.join([*close, *sorted(set(columns) - set(close))])}"
