"""The configuration of a run that names none, and what a corpus remembers of one for such runs."""

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from shards.plain_yaml import to_yaml

if TYPE_CHECKING:
    from shards.places import Place

OF_THIS_RUN = ("config", "job", "force", "retry", "limit", "set", "thresholds", "dry_run", "of", "columns", "shares")
"""Not remembered with the corpus."""
CONFIGS = Path("configs/curate")
WITH_CORPUS = ("run", "filter", "sweep")
"""Commands that know the whole configuration."""


def with_default_config(arguments: list[str]) -> list[str]:
    """Adds the configuration that was not named: the corpus's own, the default, or the demo's.

    What is named comes first, for the parser goes from left to right: keys of the command line win over files.
    """
    if not {*arguments[:1]} & {*WITH_CORPUS}:
        return arguments
    files, others = _apart(arguments[1:])
    if files:
        return [arguments[0], *files, *others]
    if not set(arguments).isdisjoint({"-h", "--help"}):
        return arguments
    named = {a.split("=")[0] for a in arguments}
    out = _value(arguments, "--out")
    own = _remembered(out) if out else None
    config = own or CONFIGS / ("default.yaml" if named & {"--videos", "--out"} else "demo.yaml")
    return [arguments[0], "--config", str(config), *arguments[1:]]


def _apart(arguments: list[str]) -> tuple[list[str], list[str]]:
    """`--config` with what follows it, and all else, each in its order."""
    files, others = [], []
    for position, argument in enumerate(arguments):
        is_value = position > 0 and arguments[position - 1] == "--config"
        (files if argument.split("=")[0] == "--config" or is_value else others).append(argument)
    return files, others


def _remembered(out: str) -> "Place | None":
    """The configuration of the corpus there, if it has one."""
    from shards.places import place, reaching

    own = place(out) / "config.yaml"
    with reaching(own):
        return own if own.exists() else None


def _value(arguments: list[str], key: str) -> str | None:
    for position, argument in enumerate(arguments):
        if argument.startswith(f"{key}="):
            return argument.split("=", 1)[1]
        if argument == key:
            return arguments[position + 1] if position + 1 < len(arguments) else None
    return None


def of_corpus(dumped: str) -> str:
    """The configuration of the corpus out of all that was parsed: YAML that --config takes."""
    (said,) = yaml.safe_load(dumped).values()
    return to_yaml({key: value for key, value in said.items() if key not in OF_THIS_RUN})


def without_subsets(configuration: str) -> str:
    """The same without the subsets of a sweep: they are packed to be compared, and belong to no later run."""
    from curation.sweep import PREFIX

    said = yaml.safe_load(configuration)
    said["sets"] = {name: rules for name, rules in (said.get("sets") or {}).items() if not name.startswith(PREFIX)}
    return to_yaml(said)
