"""How rules come out of YAML and go back: a text that `equals` names stays a text, though it look like a number."""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache

from jsonargparse import ArgumentError, ArgumentParser, Namespace, set_dumper
from jsonargparse.typing import register_type

from curation.rule import Condition, Rule, stated
from shards.plain_yaml import to_yaml


def register() -> None:
    """Lets every parser read and write rules in this way.

    The parser reads each text of a field once more as YAML, which makes 1 of '001' and false of 'no'; a registered type
    gets what YAML gave. It also writes and reads YAML on its way.
    """
    set_dumper("yaml", to_yaml)
    for kind, read in ((Rule, rule_of), (Condition, condition_of)):
        register_type(kind, serializer=stated, deserializer=read, deserializer_exceptions=ValueError)


def rule_of(said: object) -> Rule:
    """A rule from what YAML says of it.

    Raises:
        ValueError: a key is unknown, or a value of a wrong type; names it and the rule.
    """
    plain = _mapping(said, "rule")
    where = plain.pop("where", None)
    try:
        return Rule(**_fields(Rule, plain), where=None if where is None else condition_of(where))
    except ValueError as error:
        raise ValueError(f"rule {_mapping(said, 'rule')}: {error}") from error


def condition_of(said: object) -> Condition:
    """A condition from what YAML says of it.

    Raises:
        ValueError: as `rule_of`, which names the rule.
    """
    return Condition(**_fields(Condition, _mapping(said, "condition")))


def _mapping(said: object, what: str) -> dict:
    said = said.as_dict() if isinstance(said, Namespace) else said
    if not isinstance(said, Mapping):
        raise ValueError(f"a {what} is a mapping such as {{column: motion, min: 0.1}}, not {said!r}")
    return dict(said)


def _fields(kind: type[Rule] | type[Condition], plain: dict) -> dict:
    """All fields but `where`, checked; that of `equals` as it is."""
    equals = plain.pop("equals", None)
    for value in equals if isinstance(equals, list) else [equals]:
        if not isinstance(value, bool | int | float | str | None) or (value is None and equals is not None):
            raise ValueError(f"equals: {value!r} is neither a text nor a number, true or false, or a list of these")
    if plain.get("column") is None:
        raise ValueError("it names no column")
    names = [each.name for each in fields(kind)]
    if unknown := [key for key in plain if key not in names]:
        raise ValueError(f"there is no key {unknown[0]!r}; there are {', '.join(names)}")
    try:
        return {**_parser(kind).parse_object(plain).as_dict(), "equals": equals}
    except ArgumentError as error:
        raise ValueError(str(error)) from error


@cache
def _parser(kind: type[Rule] | type[Condition]) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, skip={"equals", "where"})
    return parser
