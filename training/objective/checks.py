"""Refuses wrong settings of the objective's parts by the name of the key."""


def need_positive(name: str, value: float) -> None:
    """Refuses what is not above 0.

    Raises:
        ValueError: with `name` in it.
    """
    if not value > 0:
        raise ValueError(f"{name} must be above 0, not {value}")


def need_not_negative(name: str, value: float) -> None:
    """Refuses what is below 0.

    Raises:
        ValueError: with `name` in it.
    """
    if not value >= 0:
        raise ValueError(f"{name} must be at least 0, not {value}")


def need_probability(p: float) -> None:
    """Refuses what does not lie between 0 and 1.

    Raises:
        ValueError: it does not.
    """
    if not 0 < p < 1:
        raise ValueError(f"p must lie between 0 and 1, not {p}")
