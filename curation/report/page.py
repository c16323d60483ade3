"""Writes `stats/report.html` from the tables of a corpus: one file that needs no other and no network."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from curation.config import CurateConfig
from curation.funnel import Sum, broken
from curation.histograms import Spread, score_columns, spreads
from curation.report import words
from curation.report.charts import correlation as correlation_chart
from curation.report.copies import groups
from curation.report.correlation import spearman
from curation.report.flow import shares, steps, tone
from curation.report.lines import lines, most_telling, read_rules
from curation.report.losses import MAX_CHARACTERS, failures, most_lost
from curation.report.made_by import made_by
from curation.report.pictures import pictures
from curation.report.scores import MOST_SCORES, find_strips, row_numbers, scores
from curation.report.shown import clips_of
from curation.report.timelines import timelines
from curation.tables import Corpus
from shards.places import Place, reaching
from shards.store import atomic_path, parquet_file

NAME = "report.html"
MAX_BYTES = 14_500_000
"""Of the page, which is promised to stay under 15 MB: pictures get what the rest leaves."""
TEMPLATES = Path(__file__).parent / "templates"
MOST_CORRELATED = 24
STRONG = 12
MOST_SETS, MOST_CHARTS = 8, 240
"""A histogram is drawn of each score in each set, so these bound the page."""
MOST_REASONS = 200
"""Of a set, in its table of what rejects."""


def renew_report(corpus: Corpus, config: CurateConfig, sums: Sequence[Sum]) -> Place | None:
    """Writes the page; where the configuration wants none, removes an old one, which would tell of other tables."""
    if config.report:
        return write_report(corpus, config, sums)
    (corpus.folder("stats") / NAME).unlink(missing_ok=True)
    return None


def write_report(corpus: Corpus, config: CurateConfig, sums: Sequence[Sum]) -> Place:
    """Writes the page; equal tables give equal bytes.

    Args:
        corpus: its tables, those of `stats/` just written.
        config: names the scorers.
        sums: the funnel, which names the sets that were filtered to the end.

    Returns:
        Where the page lies.

    Raises:
        ValueError: a table cannot be read; names the file.
    """
    judged = [] if broken(sums) else [each.name for each in sums if each.job == "filter"]
    rules = read_rules(corpus, judged[:MOST_SETS])
    told: dict[str, Any] = {
        "sums": sums,
        "rules": rules,
        "sets_unshown": judged[MOST_SETS:],
        "steps": {name: steps(sums, name) for name in rules} or {"": steps(sums, None)},
        "timelines": timelines(corpus, list(rules)),
        "made": made_by(corpus, rules, config.scorers),
        **_of_stats(corpus, rules),
    }
    shots = [shot for video in told["timelines"] for shot in video.shots]
    shots += [told["clips"][number].shot for number in told["shown"]]
    template = _environment().get_template("report.html")
    bare = template.render(told | {"pictures": dict.fromkeys(shots, "")})
    room = MAX_BYTES - len(bare.encode())
    html = template.render(told | {"pictures": pictures(corpus, shots, room)})
    target = corpus.folder("stats") / NAME
    with atomic_path(target) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return target


def _of_stats(corpus: Corpus, rules: dict[str, dict]) -> dict[str, Any]:
    """What the tables of `stats/` tell."""
    with ExitStack() as stack:
        failed, covered, clips, bins = (
            stack.enter_context(parquet_file(path)) if path else None
            for path in (_existing(corpus, name) for name in ("failures", "coverage", "clips", "histograms"))
        )
        told = {
            "failures": failures(failed) if failed else None,
            "most_lost": most_lost(covered) if covered else [],
        }
        if clips is None or bins is None or not clips.metadata.num_rows:
            none = {"clips": {}, "shown": [], "scores": [], "groups": [], "correlation": None}
            return told | none | {"num_unshown": 0, "num_lines_unshown": 0}
        return told | _of_clips(corpus, clips, bins.read().to_pylist(), rules)


def _existing(corpus: Corpus, name: str) -> Place | None:
    path = corpus.folder("stats") / f"{name}.parquet"
    with reaching(path):
        return path if path.exists() else None


def _of_clips(corpus: Corpus, clips: pq.ParquetFile, bins: list[dict], rules: dict[str, dict]) -> dict[str, Any]:
    columns = score_columns(clips.schema_arrow)
    bins = [row for row in bins if not rules or row["rule_set"] in rules]
    drawn = lines(rules, {name: clips.schema_arrow.field(name).type for name in columns})
    in_order = sorted(columns, key=lambda name: all(line.column != name for line in drawn))
    shown = in_order[: min(MOST_SCORES, MOST_CHARTS // max(1, len(rules)))]
    spread = spreads(clips, shown)
    varied = [name for name in shown if spread[name].high > spread[name].low]
    shown = [name for name in shown if name in varied or any(line.column == name for line in drawn)]
    drawn = [line for line in drawn if line.column in shown]
    telling = most_telling(drawn, rules)
    found = find_strips(clips, shown, telling)
    told, together = scores(clips, shown, bins, telling, rules, found, spread), groups(clips)
    rows = row_numbers(told) + [number for group in together for number in group.rows]
    likeness = [name for name in ("perceptual_similarity", "semantic_similarity") if together]
    return {
        "scores": told,
        "groups": together,
        "shown": rows,
        "clips": clips_of(corpus, clips, rows, list(rules), likeness),
        "correlation": _correlation(spread, varied[:MOST_CORRELATED]),
        "num_unshown": len(columns) - len(shown),
        "num_lines_unshown": len(drawn) - len(telling),
    }


def _correlation(spread: dict[str, Spread], names: Sequence[str]) -> dict[str, Any] | None:
    """The chart and the strongest pairs."""
    if len(names) < 2:
        return None
    table = spearman([spread[name].sample for name in names])
    pairs = [(names[i], names[j], float(table[i, j])) for i in range(len(names)) for j in range(i)]
    strong = sorted((pair for pair in pairs if abs(pair[2]) > 0), key=lambda pair: (-abs(pair[2]), *pair[:2]))
    return {"chart": correlation_chart(names, table), "pairs": strong[:STRONG], "names": names}


def _environment() -> Environment:
    """Templates in which whatever comes from a corpus is escaped."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"number": words.number, "share": words.share, "duration": words.duration}
    found.globals |= {"tone": tone, "shares": shares}
    found.globals |= {"max_characters": MAX_CHARACTERS, "most_reasons": MOST_REASONS}
    return found
