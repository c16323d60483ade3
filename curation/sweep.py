"""Subsets for choosing thresholds as SVD did (arXiv 2311.15127, section 3.3): of each score the worst share removed.

SVD removed the worst 12.5, 25 and 50 % by each annotation, trained the same small model on each subset, and had people
compare what it makes. Subsets differ in one rule alone: the block list and duplicates are treated alike in all of them.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import pyarrow as pa
import pyarrow.types as types

from curation.config import RuleSet
from curation.rule import Rule
from curation.rules import kinds
from curation.tables import Corpus
from curation.thresholds import RECORD
from shards.store import remove_folder

SHARES = (0.125, 0.25, 0.5)
PREFIX = "sweep_"
RAW, FULL = f"{PREFIX}raw", f"{PREFIX}full"
SIDE = {"bottom": ("drop_bottom", "min"), "top": ("drop_top", "max")}
"""Where the worst lie -> the keys of a rule that say so; the first is what a subset takes."""


def sweep_sets(
    rule_set: RuleSet, columns: Mapping[str, pa.DataType], named: Iterable[str] = (), shares: Iterable[float] = SHARES
) -> dict[str, RuleSet]:
    """`sweep_raw` without a rule, `sweep_full` with all, and `sweep_<score>_<side>_<percent>` for each score and share.

    Args:
        rule_set: of which the scores are taken, on the side on which a rule cuts; also what it says of missing values.
        columns: what rules can name.
        named: scores in place of those of the set's rules, as `motion` or `text_area:top`; without a side that of the
            rules, else the bottom.
        shares: to remove, above 0 and below 1.

    Raises:
        ValueError: a share, a side or a score makes no sense.
    """
    for share in shares:
        if not 0 < share < 1:
            raise ValueError(f"--shares: {share} does not lie between 0 and 1")
    sides = [_side(rule_set, name) for name in named] or _of_rules(rule_set, columns)
    if not sides:
        raise ValueError("the set has no rule with a bound on a score; name scores with --columns")
    found = {RAW: replace(rule_set, rules=[], thresholds=None), FULL: rule_set}
    for column, side in sides:
        for share in shares:
            name = f"{PREFIX}{column}_{side}_{share * 100:g}".replace(".", "_")
            found[name] = replace(rule_set, rules=[_rule(rule_set, column, SIDE[side][0], share)], thresholds=None)
    return found


def remove_others(corpus: Corpus, subsets: Collection[str]) -> list[str]:
    """Removes the whole verdicts of subsets other than these, which an older sweep left; gives their names, sorted.

    They may speak of other clips, and nobody could tell them from those of this sweep.
    """
    records = corpus.folder("verdicts").glob(f"{PREFIX}*/{RECORD}")
    others = sorted({path.parent.name for path in records} - set(subsets))
    for name in others:
        remove_folder(corpus.folder(f"verdicts/{name}"))
    return others


def _of_rules(rule_set: RuleSet, columns: Mapping[str, pa.DataType]) -> list[tuple[str, str]]:
    """Scores and sides of the rules; whole numbers, as sizes and flags are, have no worst share."""
    scores = [rule for rule in rule_set.rules if types.is_floating(columns.get(rule.column, pa.null()))]
    found = [(rule.column, side) for rule in scores for side in SIDE if _cuts(rule, side)]
    return list(dict.fromkeys(found))


def _side(rule_set: RuleSet, name: str) -> tuple[str, str]:
    column, _, side = name.partition(":")
    if side and side not in SIDE:
        raise ValueError(f"--columns {name}: `{side}` is no side; say {column}:bottom or {column}:top")
    told = [s for s in SIDE for rule in rule_set.rules if rule.column == column and _cuts(rule, s)]
    return column, side or (told or ["bottom"])[0]


def _cuts(rule: Rule, side: str) -> bool:
    return not set(SIDE[side]).isdisjoint(kinds(rule))


def _rule(rule_set: RuleSet, column: str, key: str, share: float) -> Rule:
    """The rule of a subset; a missing value means what it means in the set."""
    told = [rule.if_null for rule in rule_set.rules if rule.column == column]
    return Rule(column, **{key: share}, if_null=(told or ["reject"])[0])  # pyright: ignore[reportArgumentType]
