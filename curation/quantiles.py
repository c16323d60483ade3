"""The numbers that shares resolve to: over all clips that a rule speaks of, or over each group of them."""

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from curation.bounds import Limits, Resolve, holds, numbers
from curation.crew import Each
from curation.rule import Rule
from curation.rules import Kind, columns_of
from curation.selectable import BUCKET, Selectable


@dataclass(frozen=True)
class Population:
    """The values that a rule's shares are taken of."""

    values: np.ndarray
    """(n,) numbers, no NaN; those of a group one after the other."""
    groups: list | None = None
    """Values of `by`, in the order in which they are met; None without `by`."""
    ends: np.ndarray | None = None
    """(groups,) where the values of a group end."""

    def limit(self, share: float, top: bool) -> float | Limits | None:
        """The number of the whole population, or of each group; None where there is no value."""
        if self.groups is None or self.ends is None:
            return quantile(self.values, share, top)
        spans = pairwise([0, *self.ends.tolist()])
        return Limits(self.groups, [quantile(self.values[start:end], share, top) for start, end in spans])


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


def population(columns: Selectable, rule: Rule, each: Each) -> Population:
    """Reads the values that a rule's shares are taken of; holds one column, and the number of each value's group."""
    found, codes, groups = [np.zeros(0, np.float32)], [np.zeros(0, np.int32)], dict[Any, int]()
    for mine, by in each(partial(_of_part, columns, rule)):
        found.append(mine)
        codes.append(_shared(by, groups))
    values = np.concatenate(found)
    if rule.by is None:
        return Population(values)
    codes = np.concatenate(codes)
    order = np.argsort(codes, kind="stable")
    return Population(values[order], list(groups), np.cumsum(np.bincount(codes, minlength=len(groups))))


def resolver(columns: Selectable, last: dict[str, Population], each: Each) -> Resolve:
    """Resolves shares one after the other; a population that two of them share in a row is read once.

    Args:
        columns: of the set.
        last: the population that was read last, kept from one set of a corpus to the next.
        each: see `Crew`.
    """

    def resolve(rule: Rule, kind: Kind) -> float | Limits | None:
        wanted = columns_of(rule)
        key = repr((wanted, rule.where, rule.by, columns.pack if BUCKET in wanted else None))
        if key not in last:
            last.clear()
            last[key] = population(columns, rule, each)
        return last[key].limit(getattr(rule, kind), top=kind == "drop_top")

    return resolve


def _shared(by: pa.DictionaryArray, groups: dict[Any, int]) -> np.ndarray:
    """The numbers of a part's groups, (rows,) int32, as those of all parts: new ones are added to `groups`."""
    numbers = [groups.setdefault(group, len(groups)) for group in by.dictionary.to_pylist()]
    return np.array(numbers, np.int32)[by.indices.to_numpy()]


def _of_part(columns: Selectable, rule: Rule, part: str) -> tuple[np.ndarray, pa.DictionaryArray]:
    """The values of a part that count, and beside them those of `by`: each text once, and its number for each value."""
    wanted = columns_of(rule)
    is_alone = wanted == [rule.column] and rule.column in columns.wide.fields
    rows = (
        pa.table({rule.column: columns.wide.column_of(part, rule.column)}) if is_alone else columns.read(part, wanted)
    )
    if rule.where:
        rows = rows.filter(pa.array(holds(rule.where, rows)))
    values = numbers(rows[rule.column])
    present = ~np.isnan(values)
    by = rows[rule.by].filter(pa.array(present)) if rule.by else pa.chunked_array([], pa.null())
    return values[present], by.combine_chunks().dictionary_encode(null_encoding="encode")
