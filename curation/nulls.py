"""Nulls where a value must be: jsonargparse lets them pass where they stand in a file."""

from dataclasses import is_dataclass
from typing import get_args, get_type_hints

from jsonargparse import Namespace


def refuse_nulls(config_class: type, said: Namespace, inside: str = "") -> None:
    """Sees that no key of a configuration is null whose type does not say that it may be.

    Args:
        config_class: the dataclass.
        said: what was parsed for it, not built yet.
        inside: the keys that it lies in, each with a dot.

    Raises:
        ValueError: one is; names it.
    """
    for name, hint in get_type_hints(config_class).items():
        value = said.get(name)
        if name in said and value is None and type(None) not in get_args(hint):
            raise ValueError(f"{inside}{name}: nothing stands under it (null); leave it out to have its default")
        if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Namespace):
            refuse_nulls(hint, value, f"{inside}{name}.")
