"""What a rule of a set says in YAML: data, not code. `rules.py` says what of it makes sense."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Scalar = bool | int | float | str


@dataclass(frozen=True)
class Condition:
    """Which clips a rule speaks of: those that meet all that is stated, bounds included; others it leaves alone.

    A clip whose value is missing meets none of it but `is_null: true`.
    """

    column: str
    """Name of the column."""
    min: float | None = None
    """Smallest value."""
    max: float | None = None
    """Largest value."""
    equals: Scalar | list[Scalar] | None = None
    """The value, or a list of those that will do."""
    is_null: bool | None = None
    """Whether the value is missing."""


@dataclass(frozen=True)
class Rule:
    """One condition on a column of `clips`, of a score table, or of the user's; a clip that fails it is rejected.

    `min` and `max` keep values inside the bounds, bounds included. `drop_bottom` and `drop_top` reject the given share
    of the non-null values of the clips that the rule speaks of, ties kept.
    """

    column: str
    """Name of the column."""
    min: float | None = None
    """Smallest value kept."""
    max: float | None = None
    """Largest value kept."""
    drop_bottom: float | None = None
    """Share of lowest values to reject, 0..1."""
    drop_top: float | None = None
    """Share of highest values to reject, 0..1."""
    equals: Scalar | list[Scalar] | None = None
    """The value kept, or a list of those kept: texts, numbers or truth values."""
    is_null: bool | None = None
    """`true` keeps clips without a value alone, `false` those with one."""
    if_null: Literal["reject", "keep"] = "reject"
    """What a missing value means."""
    where: Condition | None = None
    """Which clips the rule speaks of, e.g. `{column: source, equals: web}`; null for all."""
    by: str | None = None
    """Column of texts or whole numbers: each of its values has a quantile of its own, and missing ones share one."""
    name: str | None = None
    """What reasons call the rule, in place of the column: `<name>:<kind>`."""

    @property
    def label(self) -> str:
        """What reasons call it."""
        return self.name or self.column


def stated(part: Rule | Condition) -> dict[str, Any]:
    """What a rule or condition says that is not the default: short YAML or JSON that makes an equal one."""
    given = {key: value for key, value in asdict(part).items() if value is not None and (key, value) != DEFAULT}
    if isinstance(part, Rule) and part.where:
        given["where"] = stated(part.where)
    return given


DEFAULT = ("if_null", "reject")
