"""The page at its bounds: many sets, rules and scores, long names and conditions, long videos, pictures of noise."""

from itertools import pairwise

import numpy as np
import pytest
from handmade import put_clips, put_dedup, put_scores, put_verdicts, put_videos, split_video
from reportable import TICKS, frame, report

from curation.config import CurateConfig, RuleSet
from curation.report import pictures, scores
from curation.report.charts import histogram
from curation.report.lines import MOST_LINES, Line
from curation.report.page import MOST_CHARTS, MOST_REASONS, MOST_SETS
from curation.report.timelines import MAX_SPANS, NUM_VIDEOS
from curation.tables import Corpus, part_name
from shards.schema import PROXIES, from_rows
from shards.store import write_json

PROMISED = 15_000_000
SETS = [f"set_{k}_with_a_long_name" for k in range(MOST_SETS)]
NAMES = [f"score_{k}_with_a_long_name" for k in range(MOST_CHARTS // MOST_SETS)]
RULES_A_SCORE = 2 * MOST_REASONS // len(NAMES)
REASONS = [f"{name}:drop_bottom" for name in NAMES]
CONFIG = CurateConfig(scorers=dict.fromkeys(["made_up"]), sets=dict.fromkeys(SETS, RuleSet()))
PATH = "/films/" + "folder/" * 25 + "film.mp4"


def put_part(corpus: Corpus, part: int) -> None:
    """A video of as many clips as a timeline draws; all scores say the same, so that they show the same clips."""
    video_id, count = f"{part:020x}", MAX_SPANS
    times = [k * TICKS for k in range(count + 1)]
    video = split_video(count) | {"video_id": video_id, "path": PATH, "first_pts": 0, "end_pts": count * TICKS}
    transitions = [{"start_pts": pts, "end_pts": pts + 9} for pts in times[:-1]]
    put_videos(corpus, part, [video | {"cuts_pts": times[1:-1], "transitions_pts": transitions}])
    columns = {"video_id": [video_id] * count, "start_pts": times[:-1], "end_pts": times[1:]}
    columns |= {"start_s": [2.0 * k for k in range(count)], "end_s": [2.0 * k + 2 for k in range(count)]}
    ids = put_clips(corpus, part, count, part * count, **columns)
    values = np.random.default_rng(part).random(count).tolist()
    put_scores(corpus, part, "made_up", ids, **dict.fromkeys(NAMES, values))
    put_dedup(corpus, part, ids)
    for k, name in enumerate(SETS):
        if k or part % 2:  # one set has not reached all parts, so that each clip has all three verdicts
            put_verdicts(corpus, part, name, ids, [REASONS if (k + n) % 2 else [] for n in range(count)])
    picture = frame(video_id, 0, 0)
    corpus.write("proxies", part_name(part), from_rows([picture | {"pts": pts} for pts in times], PROXIES), PROXIES)


def rules() -> dict:
    """More lines than are shown, which all sets share, each of clips of many sources; and more reasons."""
    where = {"column": "source", "equals": [f"/a/source/{number}" for number in range(500)]}
    bounds = [{"reason": f"{name}:drop_bottom", "limit": 0.1} for name in NAMES]
    named = [{"name": f"{name}_of_source_{n}", "column": name} for n in range(RULES_A_SCORE) for name in NAMES]
    limits = [0.2 + n / 1000 for n in range(len(named))]
    bounds += [{"reason": f"{r['name']}:min", "limit": at, "where": where} for r, at in zip(named, limits, strict=True)]
    bounds += [{"reason": "source:equals", "equals": where["equals"]}]
    counts = {"clips": 4800, "kept": 2400, "rejected": 2400}
    reasons = {bound["reason"]: {"clips": 2400, "alone": 10} for bound in bounds}
    return {"rules": named, "resolved": bounds, "config_hash": "c0ffee", "counts": counts, "reasons": reasons}


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    corpus = Corpus(tmp_path / "films")
    for part in range(NUM_VIDEOS):
        put_part(corpus, part)
    for name in SETS:
        write_json(corpus.folder(f"verdicts/{name}") / "rules.json", rules())
    return corpus


def largest_histogram() -> str:
    edges = -np.geomspace(1.2345e-4, 1.2345e-5, 51)
    spans = enumerate(pairwise(edges.tolist()))
    bins = [{"start": a, "end": b, "clips": 123_456_789 + k, "kept": 98_765_432 + k} for k, (a, b) in spans]
    return histogram(bins, [Line("a", bool(k % 2), -4.3e-5) for k in range(MOST_LINES // len(NAMES))])


def test_the_page_stays_below_15_mb_where_all_is_at_its_bound(corpus, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (156, 208, 3), np.uint8)
    webp = pictures._webp(noise)
    chart = largest_histogram()
    monkeypatch.setattr(scores, "histogram", lambda *_: chart)
    monkeypatch.setattr(pictures, "_webp", lambda _: webp)
    html = report(corpus, CONFIG).read_bytes()
    assert html.count(b'<div class="chart"') == MOST_CHARTS
    assert html.count(b"<section data-sets") == MOST_LINES and b"more lines are not shown" in html
    assert html.count(b'class="bar thin"><i class="bad" style=') == MOST_REASONS * MOST_SETS
    assert html.count(b"more reasons take no more clips") == MOST_SETS
    assert 2 * MAX_SPANS * NUM_VIDEOS < html.count(b'<i class="clip') <= 3 * MAX_SPANS * NUM_VIDEOS
    assert b"_name:drop_bottom and 27 more" in html, "of a clip's reasons, three are named"
    assert html.count(b"data:image/webp") > 20 and b"no picture" in html
    assert len(html) < PROMISED
