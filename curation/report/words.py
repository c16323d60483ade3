"""Numbers as people read them."""

import math


def number(value: float | None) -> str:
    """Up to four digits that matter, thousands parted; a dash for none."""
    if value is None or math.isinf(value):
        return "–" if value is None else f"{value:f}".replace("inf", "∞")
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 10_000 else f"{value:,.4g}"


def short(value: float) -> str:
    """What fits under a picture: three digits that matter."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def share(part: float | None, whole: float | None = 1.0) -> str:
    """Percent, with one digit behind the point and its sign on the same line; a dash of nothing."""
    if part is None or not whole:
        return "–"
    return f"{100 * part / whole:.1f}\N{NO-BREAK SPACE}%"


def duration(seconds: float | None) -> str:
    """Seconds below two minutes, minutes below two hours, else hours; a dash for none."""
    if seconds is None:
        return "–"
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.1f} s"
