"""The scores of the page: how each is spread, its lines, and clips on either side of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from curation.histograms import Spread
from curation.report.charts import histogram
from curation.report.lines import Line
from curation.report.strips import Found, Strip, ends, find, sides
from curation.report.words import short

MOST_SCORES = 150
MAX_PICTURES = 900
"""Of all scores together: the more lines, the fewer pictures on either side, down to AT_ENDS."""
QUANTILES = ("least", "10 %", "median", "90 %", "greatest")
AT_ENDS, AT_LINES = 4, 8
"""Pictures of the lowest and of the highest clips, and on each side of a line."""


@dataclass(frozen=True)
class Row:
    """Clips side by side under a heading."""

    title: str
    fails: bool | None
    """Whether they lie on the side of a line that fails; None where no line is meant."""
    total: int
    """Clips on that side."""
    shown: list[tuple[str, int]]
    """Each one's value and its row number in `stats/clips`."""


@dataclass(frozen=True)
class Drawn:
    """A line of a score and what lies on either side."""

    line: Line
    rows: tuple[Row, ...]
    """Those that fail it, then those that pass it; none of a line of one group of clips."""
    alone: dict[str, dict]
    """Set -> `clips` that it rejects by this line and those `alone` by it."""


@dataclass(frozen=True)
class Score:
    """A score of the page."""

    name: str
    doc: str
    unit: str
    charts: dict[str, str]
    """Set -> its histogram; the key is empty where no set has a verdict."""
    clips: int
    missing: int
    lines: list[Drawn]
    ends: tuple[Row, Row]
    """The lowest and the highest."""
    quantiles: dict[str, float]
    """What the share of clips that it names lies below; over a sample, but for the ends."""

    @property
    def rejects(self) -> int:
        """Most clips that one of its lines takes from a set; -1 where it has no line."""
        return max((by.get("clips", 0) for drawn in self.lines for by in drawn.alone.values()), default=-1)

    @property
    def varies(self) -> bool:
        """Whether it tells one clip from another."""
        return len(set(self.quantiles.values())) > 1


def find_strips(clips: pq.ParquetFile, columns: Sequence[str], lines: Sequence[Line]) -> dict[Strip, Found]:
    """The clips that the strips of the page show, in one pass over `stats/clips`."""
    at_ends = [strip for column in columns for strip in ends(column)]
    at_lines = [strip for line in lines if not line.group for strip in sides(line)]
    left = (MAX_PICTURES - AT_ENDS * len(at_ends)) // max(1, len(at_lines))
    shown = min(max(left, AT_ENDS), AT_LINES)
    return find(clips, dict.fromkeys(at_ends, AT_ENDS) | dict.fromkeys(at_lines, shown))


def scores(
    clips: pq.ParquetFile,
    columns: Sequence[str],
    bins: Sequence[dict],
    lines: Sequence[Line],
    rules: dict[str, dict],
    found: dict[Strip, Found],
    spread: dict[str, Spread],
) -> list[Score]:
    """The scores that the page shows: those first whose lines take most, those without a line last.

    Args:
        clips: `stats/clips`.
        columns: names of the scores.
        bins: rows of `stats/histograms`.
        lines: of all sets.
        rules: `rules.json` of each set.
        found: what `find_strips` gave for these.
        spread: of each score.
    """
    told = []
    for name in columns:
        mine, rows = [line for line in lines if line.column == name], [row for row in bins if row["score"] == name]
        if rows:
            about = clips.schema_arrow.field(name).metadata or {}
            doc, unit = (about.get(key, b"").decode() for key in (b"doc", b"unit"))
            drawn = [Drawn(line, _sides(line, found), _rejected(line, rules)) for line in mine]
            lowest, highest = (_row(t, None, found[s]) for t, s in zip(("lowest", "highest"), ends(name), strict=True))
            num_clips, missing = _counts(rows)
            charts, quantiles = _charts(rows, mine), _quantiles(spread[name])
            told.append(Score(name, doc, unit, charts, num_clips, missing, drawn, (lowest, highest), quantiles))
    return sorted(told, key=lambda score: -score.rejects)


def _quantiles(spread: Spread) -> dict[str, float]:
    known = spread.sample[~np.isnan(spread.sample)]
    if not len(known):
        return {}
    return dict(zip(QUANTILES, [spread.low, *np.quantile(known, [0.1, 0.5, 0.9]).tolist(), spread.high], strict=True))


def _counts(rows: Sequence[dict]) -> tuple[int, int]:
    """Clips, and those of which the value is missing."""
    of_one = [row for row in rows if row["rule_set"] == rows[0]["rule_set"]]
    return sum(row["clips"] for row in of_one), sum(row["clips"] for row in of_one if row["start"] is None)


def _charts(rows: Sequence[dict], lines: Sequence[Line]) -> dict[str, str]:
    charts = {}
    for rule_set in dict.fromkeys(row["rule_set"] for row in rows):
        bins = [row for row in rows if row["rule_set"] == rule_set and row["start"] is not None]
        if bins:
            charts[rule_set or ""] = histogram(bins, [line for line in lines if rule_set in line.reasons])
    return charts


def _sides(line: Line, found: dict[Strip, Found]) -> tuple[Row, ...]:
    if line.group:
        return ()
    failing, passing = sides(line)
    if line.where:  # of other clips, neither side fails
        ways = ("below", "above") if line.fails_below else ("above", "below")
        return _row(f"next {ways[0]}", None, found[failing]), _row(f"next {ways[1]}", None, found[passing])
    return _row("just fails", True, found[failing]), _row("just passes", False, found[passing])


def _rejected(line: Line, rules: dict[str, dict]) -> dict[str, dict]:
    reasons = {name: rules[name].get("reasons", {}) for name in line.reasons}
    return {name: reasons[name].get(reason, {}) for name, reason in line.reasons.items()}


def _row(title: str, fails: bool | None, found: Found) -> Row:
    shown = [(short(value), int(row)) for value, row in zip(found.values, found.rows, strict=True)]
    return Row(title, fails, found.total, shown)


def row_numbers(told: Sequence[Score]) -> list[int]:
    """Of every clip that is shown, as often as it is."""
    rows = [row for score in told for row in (*score.ends, *(r for drawn in score.lines for r in drawn.rows))]
    return [number for row in rows for _, number in row.shown]
