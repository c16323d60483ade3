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
        Sets by name, as the configuration of curation has them: none where no arm does, and no `ablation_by_score`
        where none of a single score does, for a set without rules would keep everything.
    """
    leads = {each.arm: each.lead or 0.0 for each in ratings if each.beats_baseline}
    known = {arm.name: arm.record for arm in arms if arm.name in leads}
    if not known:
        return {}
    best = known[max(known, key=lambda name: leads[name])]
    single = [name for name in known if name != FULL and len(known[name]["rules"]) == 1]
    chosen = {_score(known[name]): name for name in sorted(single, key=lambda name: leads[name])}  # the best stays
    by_score = [known[name] for name in sorted(chosen.values())]
    return {WON: _as_set([best])} | ({BY_SCORE: _as_set(by_score)} if by_score else {})


def _as_set(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rules of verdicts together, with all else that these were made with: a sweep made them alike in that.

    Numbers that were found elsewhere are named by the file that they stand in.
    """
    told = {"rules": [rule for record in records for rule in record["rules"]], "duplicates": records[0]["duplicates"]}
    carried = records[0].get("thresholds")
    return told | ({"thresholds": carried["from"]} if carried else {})


def write_winner(path: Path, corpus: Path, sets: Mapping[str, Any]) -> None:
    """Writes the configuration of the corpus with these sets added, and none that an earlier ablation had.

    Args:
        path: YAML that is written.
        corpus: folder whose configuration it is.
        sets: as `winning_sets` gives them.

    Raises:
        ValueError: the corpus has no configuration.
    """
    try:
        whole = yaml.safe_load((corpus / CONFIG).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{corpus / CONFIG} cannot be read ({error}): it is what curated the corpus") from error
    # `make filter` by an earlier ablation's rules left those in the configuration; they have not won this one
    others = {name: rules for name, rules in (whole.get("sets") or {}).items() if name not in (WON, BY_SCORE)}
    whole["sets"] = others | dict(sets)
    with atomic_path(path) as temporary:
        temporary.write_text(to_yaml(whole), encoding="utf-8")


def _score(record: Mapping[str, Any]) -> tuple[str, str]:
    """Score and side of the only rule."""
    rule = record["rules"][0]
    return rule["column"], next((key for key in rule if key.startswith("drop_")), "")
