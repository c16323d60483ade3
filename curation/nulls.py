"""Nulls where a value must be: jsonargparse lets them pass where they stand in a file."""

from dataclasses import is_dataclass
from typing import get_type_hints

from jsonargparse import Namespace

VALUES = (bool, int, float, str)


def refuse_nulls(config_class: type, said: Namespace, inside: str = "") -> None:
    """Sees that no section of a configuration, and no key that takes a number, a text or a switch alone, is null.

    Args:
        config_class: the dataclass.
        said: what was parsed for it, not built yet.
        inside: the keys that it lies in, each with a dot.

    Raises:
        ValueError: one is; names it, and of a key its type.
    """
    for name, hint in get_type_hints(config_class).items():
        value = said.get(name)
        if hint in VALUES and name in said and value is None:
            raise ValueError(f"{inside}{name}: null is no {hint.__name__}; leave the key out to have its default")
        if is_dataclass(hint) and isinstance(hint, type):
            if value is None and name in said:
                raise ValueError(f"{inside}{name}: nothing stands under it; leave it out to have its defaults")
            if isinstance(value, Namespace):
                refuse_nulls(hint, value, f"{inside}{name}.")
