"""The rules that came out best, as YAML that `make filter` takes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from shards.store import atomic_path
from training.ablation.arms import FULL, RAW, Arm
from training.ablation.elo import Rating

CONFIG = "config.yaml"
WON, BY_SCORE = "ablation_won", "ablation_by_score"


def winning_sets(arms: Sequence[Arm], ratings: Sequence[Rating]) -> dict[str, dict[str, Any]]:
    """`ablation_won`, the rules of the arm that is rated best, and `ablation_by_score`, as SVD chose its thresholds: of
    each score the share whose arm is rated best, where that is above the raw set; nobody has trained on those together.

    Returns:
        Sets by name, with `rules` and `duplicates`, as the configuration of curation has them; empty without votes.
    """
    rated = {each.arm: each.rating for each in ratings if each.rating is not None}
    known = {arm.name: arm.record for arm in arms if arm.name in rated}
    if RAW not in known:
        return {}
    best = max(known, key=lambda name: rated[name])
    single = [name for name in known if name not in (RAW, FULL) and len(known[name]["rules"]) == 1]
    chosen: dict[tuple[str, str], str] = {}
    for name in sorted(single, key=lambda name: rated[name]):  # the best of a score comes last and stays
        if rated[name] > rated[RAW]:
            chosen[_score(known[name])] = name
    duplicates = known[best]["duplicates"]
    rules = [known[name]["rules"][0] for name in sorted(chosen.values())]
    return {
        WON: {"rules": known[best]["rules"], "duplicates": duplicates},
        BY_SCORE: {"rules": rules, "duplicates": duplicates},
    }


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
        temporary.write_text(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _score(record: Mapping[str, Any]) -> tuple[str, str]:
    """Score and side of the only rule."""
    rule = record["rules"][0]
    return rule["column"], next((key for key in rule if key.startswith("drop_")), "")
