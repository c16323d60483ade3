"""YAML that the command line reads back as it was: what looks like a number but is a text stands in quotes."""

import re

import yaml


class _Dumper(yaml.SafeDumper):
    """Quotes texts such as 1e3, which YAML 1.1 takes for texts anyway, and YAML 1.2 and jsonargparse for numbers."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def to_yaml(keys: dict) -> str:
    """Mappings, lists and plain values as YAML, in their order."""
    return yaml.dump(keys, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False)
