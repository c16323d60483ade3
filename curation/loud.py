"""What a set's author would want to be told: rules that keep nothing, speak of nothing, or read what is missing."""

import logging
from collections import Counter

import numpy as np

from curation.config import RuleSet
from curation.judge import Summary
from curation.rules import KEYS

logger = logging.getLogger(__name__)

MANY_NULLS = 0.5


def tell_missing(name: str, missing: Counter[str], met: Counter[str], clips: int) -> None:
    """Warns of what is missing for most clips.

    Args:
        name: of the set.
        missing: column of a rule -> clips that have no value there.
        met: rule with a `where` -> clips that meet it.
        clips: of the corpus.
    """
    for column, number in missing.items():
        if number > MANY_NULLS * clips:
            logger.warning("set %s: `%s` is MISSING for %d of %d clips", name, column, number, clips)
    for label, number in met.items():
        if clips and not number:
            logger.warning("set %s: the `where` of `%s` is met by NONE of %d clips", name, label, clips)


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
