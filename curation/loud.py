"""What a set's author would want to be told: rules that keep nothing, speak of nothing, or read what is missing."""

import logging
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from curation.bounds import holds, is_missing
from curation.config import RuleSet
from curation.judge import Summary
from curation.rule import Rule
from curation.rules import KEYS

logger = logging.getLogger(__name__)

MANY_NULLS = 0.5


def count_spoken(rules: Sequence[Rule], rows: pa.Table) -> np.ndarray:
    """Of each rule the clips that it speaks of, and those of them that have no value, (rules, 2) int64."""
    found = np.zeros((len(rules), 2), np.int64)
    for place, rule in enumerate(rules):
        chosen = holds(rule.where, rows) if rule.where else np.ones(len(rows), bool)
        found[place] = np.count_nonzero(chosen), np.count_nonzero(chosen & is_missing(rows[rule.column]))
    return found


def tell_missing(name: str, rules: Sequence[Rule], spoken: np.ndarray, clips: int) -> None:
    """Warns of rules that speak of no clip, and of what is missing for most of those that they speak of.

    Args:
        name: of the set.
        rules: of the set.
        spoken: (rules, 2), what `count_spoken` says of all clips.
        clips: of the corpus.
    """
    told = []
    for rule, (met, missing) in zip(rules, spoken.tolist(), strict=True):
        if rule.where and clips and not met:
            told.append(f"the `where` of `{rule.label}` is met by NONE of {clips} clips")
        elif missing > MANY_NULLS * met:
            which = f" that the `where` of `{rule.label}` selects" if rule.where else ""
            told.append(f"`{rule.column}` is MISSING for {missing} of {met} clips{which}")
    for words in dict.fromkeys(told):
        logger.warning("set %s: %s", name, words)


def tell_kept(name: str, rule_set: RuleSet, summary: Summary) -> None:
    """Warns of a set that keeps nothing, and of the rules that see to that."""
    counts = summary.counts()
    if counts["kept"]:
        return
    for label in rule_set_labels(rule_set):
        if counts["clips"] and fails_rule(summary, label).all():
            logger.warning("set %s: the rule on `%s` ALONE KEEPS NOTHING", name, label)
    words = "set %s KEEPS NOTHING of %d clips: its rules.json and --dry-run say what each rule rejects"
    logger.warning(words, name, counts["clips"])


def rule_set_labels(rule_set: RuleSet) -> list[str]:
    """What reasons call its rules, each once."""
    return list(dict.fromkeys(rule.label for rule in rule_set.rules))


def fails_rule(summary: Summary, label: str) -> np.ndarray:
    """Which combinations of the summary have a reason of the rule, (combinations,) bool."""
    return summary.having({f"{label}:{kind}" for kind in (*KEYS, "null")})
