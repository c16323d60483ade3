"""Rules changed on the command line: `--set hq.motion.min=0.2`."""

from collections.abc import Iterable
from copy import deepcopy

import yaml

BOUNDS = {"min", "max", "drop_bottom", "drop_top", "equals", "is_null"}
NAMING = {"column", "name"}
FORM = "say <set>.<column>.<key>=<value>, as in hq.motion.min=0.2, or <set>.<key>=<value>, as in hq.duplicates=keep"


def override(sets: dict[str, dict], assignments: Iterable[str]) -> dict[str, dict]:
    """Rule sets, as YAML gives them, with some of their values replaced.

    A rule is named by its `name`, else by its column; one on a column that the set has no rule on is added at the end.
    `null` takes a value away. A rule whose last bound is gone in the end goes as well.

    Args:
        sets: name -> `rules`, `duplicates`, ...
        assignments: `<set>.<rule>.<key>=<value>` or `<set>.<key>=<value>`, its value YAML; texts in quotes stay texts.
            What `equals` names needs none: it is read as what the column holds.

    Raises:
        ValueError: an assignment has another form, names no set, or a rule that is not alone in being called so; takes
            away what is not there; or says something of a rule that is not there and gets no bound.
    """
    sets, touched, unbound = deepcopy(sets), [], []
    for assignment in assignments:
        path, sign, text = assignment.partition("=")
        set_name, *names = path.strip().split(".")
        if not sign or len(names) not in (1, 2) or not all(names):
            raise ValueError(f"--set {assignment}: {FORM}")
        if set_name not in sets:
            raise ValueError(f"--set {assignment}: there is no set `{set_name}`; there are {', '.join(sets) or 'none'}")
        target = sets[set_name] if len(names) == 1 else _rule(sets[set_name], names[0], names[1], assignment)
        value = _value(text, names[-1], assignment)
        if value is not None:
            target[names[-1]] = value
        elif target.pop(names[-1], None) is None:
            raise ValueError(f"--set {assignment}: there is none; `{set_name}` has {_said(sets[set_name])}")
        elif names[-1] in BOUNDS:
            unbound.append(target)
        if len(names) == 2:
            touched.append((assignment, sets[set_name]["rules"], target))
    for assignment, rules, rule in touched:
        if not _is_bound(rule) and not any(rule is other for other in unbound):
            raise ValueError(f"--set {assignment}: no rule with a bound is called so; give it one, as min or max")
        rules[:] = [other for other in rules if other is not rule or _is_bound(rule)]
    return sets


def _is_bound(rule: dict) -> bool:
    return any(rule.get(key) is not None for key in BOUNDS)


def _said(rule_set: dict) -> str:
    """What there is to take away, as `<rule>.<key>` or `<key>`."""
    own = [key for key, value in rule_set.items() if key != "rules" and value is not None]
    of_rules = [f"{_label(rule)}.{key}" for rule in rule_set.get("rules") or () for key in rule if key not in NAMING]
    return ", ".join([*of_rules, *own]) or "none"


def _label(rule: dict) -> str:
    return rule.get("name") or rule.get("column", "")


def carry_over(sets: dict[str, dict], source: str) -> dict[str, dict]:
    """Rule sets that take the numbers of their shares from another corpus, where they have shares.

    Raises:
        ValueError: none has.
    """
    has_share = {
        name: any({"drop_bottom", "drop_top"} & rule.keys() for rule in rule_set.get("rules") or ())
        for name, rule_set in sets.items()
    }
    if not any(has_share.values()):
        raise ValueError(f"--thresholds {source}: no set has drop_bottom or drop_top, so there is no number to take")
    return {name: rule_set | ({"thresholds": source} if has_share[name] else {}) for name, rule_set in sets.items()}


def _value(text: str, key: str, assignment: str) -> object:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"--set {assignment}: {text!r} is no YAML") from error
    if key == "equals" and value is not None:
        return yaml.load(text, yaml.BaseLoader)  # texts as they stand: the column says whether 001 is a number
    is_quoted = text.lstrip().startswith(("'", '"'))
    try:
        return float(value) if isinstance(value, str) and not is_quoted else value  # YAML takes 1e-3 for a text
    except ValueError:
        return value


def _rule(rule_set: dict, label: str, key: str, assignment: str) -> dict:
    """The rule that is meant; a new one on the column of that name where there is none."""
    rules = rule_set["rules"] = rule_set.get("rules") or []
    meant = [rule for rule in rules if _label(rule) == label]
    telling = [rule for rule in meant if key in rule] or meant
    if len(telling) > 1:
        raise ValueError(f"--set {assignment}: {len(telling)} rules are called `{label}`; give them names (`name:`)")
    if not telling:
        rules.append(rule := {"column": label})
        return rule
    return telling[0]
