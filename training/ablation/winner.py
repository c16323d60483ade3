"""The rules that came out best, as YAML that `make filter` takes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from shards.plain_yaml import to_yaml
from shards.store import atomic_path
from training.ablation.arms import FULL, Arm
from training.ablation.elo import Rating

CONFIG = "config.yaml"
WON, BY_SCORE = "ablation_won", "ablation_by_score"


def winning_sets(arms: Sequence[Arm], ratings: Sequence[Rating]) -> dict[str, dict[str, Any]]:
    """`ablation_won`, the rules of the arm that is rated best, and `ablation_by_score`, as SVD chose its thresholds: of
    each score the share whose arm is rated best; nobody has trained on those together.

    Only arms count that beat the raw set beyond the 95 % interval of their lead.

    Returns:
        Sets by name, as the configuration of curation has them; empty where no arm does.
    """
    leads = {each.arm: each.lead or 0.0 for each in ratings if each.beats_baseline}
    known = {arm.name: arm.record for arm in arms if arm.name in leads}
    if not known:
        return {}
    best = known[max(known, key=lambda name: leads[name])]
    single = [name for name in known if name != FULL and len(known[name]["rules"]) == 1]
    chosen = {_score(known[name]): name for name in sorted(single, key=lambda name: leads[name])}  # the best stays
    by_score = [known[name]["rules"][0] for name in sorted(chosen.values())]
    return {WON: _as_set(best, best["rules"]), BY_SCORE: _as_set(best, by_score)}


def _as_set(record: Mapping[str, Any], rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rules, with all else that the verdicts were made with."""
    told = {"rules": list(rules), "duplicates": record["duplicates"]}
    return told | ({"thresholds": record["thresholds"]} if record.get("thresholds") else {})


def write_winner(path: Path, corpus: Path, sets: Mapping[str, Any]) -> None:
    """Writes the configuration of the corpus with these sets added.

    Raises:
        ValueError: the corpus has no configuration.
    """
    try:
        whole = yaml.safe_load((corpus / CONFIG).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{corpus / CONFIG} cannot be read ({error}): it is what curated the corpus") from error
    whole["sets"] = (whole.get("sets") or {}) | dict(sets)
    with atomic_path(path) as temporary:
        temporary.write_text(to_yaml(whole), encoding="utf-8")


def _score(record: Mapping[str, Any]) -> tuple[str, str]:
    """Score and side of the only rule."""
    rule = record["rules"][0]
    return rule["column"], next((key for key in rule if key.startswith("drop_")), "")
