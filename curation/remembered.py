"""What a corpus remembers of the configuration of a run, for runs that name none."""

import yaml

from curation.plain_yaml import to_yaml

OF_THIS_RUN = ("config", "job", "force", "retry", "limit", "set", "thresholds", "dry_run", "of", "columns", "shares")
"""Not remembered with the corpus."""


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
