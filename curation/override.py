"""Rules changed on the command line: `--set hq.motion.min=0.2`."""

from collections.abc import Iterable
from copy import deepcopy

import yaml

BOUNDS = {"min", "max", "drop_bottom", "drop_top", "equals", "is_null"}
FORM = "say <set>.<column>.<key>=<value>, as in hq.motion.min=0.2, or <set>.<key>=<value>, as in hq.duplicates=keep"


def override(sets: dict[str, dict], assignments: Iterable[str]) -> dict[str, dict]:
    """Rule sets, as YAML gives them, with some of their values replaced.

    A rule is named by its `name`, else by its column; one on a column that the set has no rule on is added at the end.
    `null` takes a value away, and with its last bound the rule.

    Args:
        sets: name -> `rules`, `duplicates`, ...
        assignments: `<set>.<rule>.<key>=<value>` or `<set>.<key>=<value>`, the value in YAML.

    Raises:
        ValueError: an assignment has another form, names no set, or a rule that is not alone in being called so.
    """
    sets = deepcopy(sets)
    for assignment in assignments:
        path, sign, text = assignment.partition("=")
        set_name, *names = path.strip().split(".")
        if not sign or len(names) not in (1, 2) or not all(names):
            raise ValueError(f"--set {assignment}: {FORM}")
        if set_name not in sets:
            raise ValueError(f"--set {assignment}: there is no set `{set_name}`; there are {', '.join(sets) or 'none'}")
        target = sets[set_name] if len(names) == 1 else _rule(sets[set_name], names[0], names[1], assignment)
        value = _value(text, assignment)
        if value is None:
            target.pop(names[-1], None)
        else:
            target[names[-1]] = value
        if len(names) == 2 and BOUNDS.isdisjoint(target):
            sets[set_name]["rules"].remove(target)
    return sets


def carry_over(sets: dict[str, dict], source: str) -> dict[str, dict]:
    """Rule sets that take the numbers of their shares from another corpus, where they have shares."""
    has_share = {
        name: any({"drop_bottom", "drop_top"} & rule.keys() for rule in rule_set.get("rules") or ())
        for name, rule_set in sets.items()
    }
    return {name: rule_set | ({"thresholds": source} if has_share[name] else {}) for name, rule_set in sets.items()}


def _value(text: str, assignment: str) -> object:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"--set {assignment}: {text!r} is no YAML") from error
    try:
        return float(value) if isinstance(value, str) else value  # YAML takes 1e-3 for a text
    except ValueError:
        return value


def _rule(rule_set: dict, label: str, key: str, assignment: str) -> dict:
    """The rule that is meant; a new one on the column of that name where there is none."""
    rules = rule_set["rules"] = rule_set.get("rules") or []
    meant = [rule for rule in rules if (rule.get("name") or rule["column"]) == label]
    telling = [rule for rule in meant if key in rule] or meant
    if len(telling) > 1:
        raise ValueError(f"--set {assignment}: {len(telling)} rules are called `{label}`; give them names (`name:`)")
    if not telling:
        rules.append(rule := {"column": label})
        return rule
    return telling[0]
