"""A small corpus with everything that the report shows: scores, lines, duplicates, proxy frames, failures."""

import io
import json
from pathlib import Path

import numpy as np
from handmade import put_clips, put_dedup, put_scores, put_verdicts, put_videos, split_video
from PIL import Image

from curation import stats
from curation.config import CurateConfig, RuleSet
from curation.report.page import write_report
from curation.tables import Corpus, part_name
from shards.schema import PROXIES, from_rows
from shards.store import write_json

CONFIG = CurateConfig(scorers={"motion": None}, sets={"pretrain": RuleSet(), "hq": RuleSet()})
CLIPS = 24
PARTS = 2
TICKS = 1000  # of two seconds
SECTIONS = ["funnel", "footage", "rejected", "scores", "correlation", "duplicates", "cuts", "failures", "made-by"]
HOSTILE = '</script><img src="http://evil.example/x.png" onerror="alert(1)">{{ 7 * 7 }}'
RULES = {
    "rules": [{"column": "motion", "min": 6.0}],
    "resolved": [{"reason": "motion:min", "limit": 6.0}],
    "config_hash": "c0ffee",
}


def put_corpus(root: Path, clips: int = CLIPS, name: str = "film", keeps: bool = True) -> Corpus:
    """Two parts of one video each; clip k flows by k, of odd ones two by two are duplicates, and one file failed."""
    corpus = Corpus(root)
    root.mkdir(parents=True, exist_ok=True)
    (root / "config.yaml").write_text(json.dumps({"videos": name, "out": str(root), "engine": "local"}))
    for part in range(PARTS):
        put_part(corpus, part, clips // PARTS, f"{part:x}" * 20, name, keeps)
    kept = sum(keeps and k >= 6 for k in range(clips))
    counts = {"clips": clips, "kept": kept, "rejected": clips - kept}
    reasons = {"motion:min": {"clips": clips - kept, "alone": clips - kept}, "motion:null": {"clips": 0, "alone": 0}}
    for rule_set in CONFIG.sets:
        write_json(corpus.folder(f"verdicts/{rule_set}") / "rules.json", RULES | {"counts": counts, "reasons": reasons})
    return corpus


def put_part(corpus: Corpus, part: int, count: int, video_id: str, name: str, keeps: bool) -> None:
    """One part: `count` clips of two seconds, without a gap."""
    first = part * count
    about = {"first_pts": 0, "end_pts": count * TICKS, "cuts_pts": [k * TICKS for k in range(1, count)]}
    video = split_video(count, transition_s=1.0) | {"video_id": video_id, "path": f"/films/{name}", **about}
    lost = {"video_id": f"lost{part}", "path": f"/films/lost-{name}", "status": "failed", "error": f"broken: {name}"}
    put_videos(corpus, part, [video, lost])
    times = {
        "video_id": [video_id] * count,
        "start_pts": [k * TICKS for k in range(count)],
        "end_pts": [(k + 1) * TICKS for k in range(count)],
        "start_s": [2.0 * k for k in range(count)],
        "end_s": [2.0 * k + 2 for k in range(count)],
    }
    ids = put_clips(corpus, part, count, first, **times)
    flows = [float(first + k) for k in range(count)]
    put_scores(corpus, part, "motion", ids, motion=flows, clip_similarity=list(np.sin(flows)), same=[1.0] * count)
    groups = [ids[k // 4 * 4] if k % 4 in (0, 1) else None for k in range(count)]
    put_dedup(corpus, part, ids, groups, [k % 4 if group else None for k, group in enumerate(groups)])
    for rule_set in CONFIG.sets:
        verdicts = [[] if keeps and flow >= 6 else ["motion:min"] for flow in flows]
        put_verdicts(corpus, part, rule_set, ids, verdicts)
    frames = [frame(video_id, pts, first + pts // TICKS) for pts in range(0, count * TICKS, TICKS // 4)]
    corpus.write("proxies", part_name(part), from_rows(frames, PROXIES), PROXIES)


def frame(video_id: str, pts: int, number: int) -> dict:
    """A proxy frame whose gray tells the clip that it is of."""
    file = io.BytesIO()
    Image.new("L", (160, 90), 10 * number).convert("RGB").save(file, "JPEG", quality=95)
    seconds = pts / TICKS * 2
    return dict.fromkeys(PROXIES.names) | {"video_id": video_id, "pts": pts, "time_s": seconds, "jpeg": file.getvalue()}


def report(corpus: Corpus, config: CurateConfig = CONFIG) -> Path:
    """Writes the tables of `stats/` and the page."""
    page = write_report(corpus, config, stats.run(corpus, config))
    assert isinstance(page, Path)
    return page
