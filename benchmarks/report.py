"""How the report grows: `make bench NAME=report`.

Makes corpora up, of 1,000 and of 1,000,000 clips, in parts of 16 videos of 16 clips with proxy frames, and writes
`stats/` for each in a process of its own: seconds of the tables and of the page, bytes of the page, peak memory.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from curation import stats
from curation.config import CurateConfig, RuleSet
from curation.report.page import write_report
from curation.scorers.motion import Motion
from curation.tables import Corpus, part_name
from shards.schema import CLIP_ID, CLIPS, DEDUP, INPUTS, PROXIES, VERDICTS, VIDEOS, field
from shards.store import write_json

VIDEOS_A_PART, CLIPS_A_VIDEO, SCORES = 16, 16, 20
LINES = {f"score_{k:02d}": k / 10 - 1 for k in range(8)}
SIZE_CEILING = 15 * 2**20
GROWTH_CEILING = 1.25  # bytes of the page, of many clips over few
CONFIG = CurateConfig(scorers={"made_up": Motion()}, sets={"pretrain": RuleSet()})
SCORE_FIELDS = [field(f"score_{k:02d}", pa.float32(), "made up") for k in range(SCORES)]
SCORE_SCHEMA = pa.schema([CLIP_ID, *SCORE_FIELDS, field("made_up_error", pa.string(), "none")])


def make_corpus(root: Path, num_clips: int) -> Corpus:
    """A corpus of so many clips and half as many reasons as lines."""
    corpus, random = Corpus(root), np.random.default_rng(0)
    jpegs = [_picture(random) for _ in range(4)]
    counts = dict.fromkeys([f"{name}:min" for name in LINES], 0)
    for part in range(-(-num_clips // (VIDEOS_A_PART * CLIPS_A_VIDEO))):
        _make_part(corpus, part, random, jpegs, counts)
    total = sum(1 for _ in corpus.parts("clips")) * VIDEOS_A_PART * CLIPS_A_VIDEO
    told = {"resolved": [{"reason": f"{name}:min", "limit": limit} for name, limit in LINES.items()], "rules": []}
    told |= {"counts": {"clips": total, "kept": 1, "rejected": total - 1}, "config_hash": "made up"}
    told |= {"reasons": {reason: {"clips": number, "alone": 0} for reason, number in counts.items()}}
    write_json(corpus.folder("verdicts/pretrain") / "rules.json", told)
    return corpus


def _make_part(corpus: Corpus, part: int, random: np.random.Generator, jpegs: list[bytes], counts: dict) -> None:
    video_ids = [random.bytes(10).hex() for _ in range(VIDEOS_A_PART)]
    owners = np.repeat(video_ids, CLIPS_A_VIDEO)
    starts = np.tile(np.arange(CLIPS_A_VIDEO) * 4000, VIDEOS_A_PART)
    rows, ids = len(owners), [f"{v}-{s:09d}-{s + 4000:09d}" for v, s in zip(owners, starts, strict=True)]
    times = {"start_pts": starts, "end_pts": starts + 4000, "start_s": starts / 1000, "end_s": starts / 1000 + 4}
    clips = {"clip_id": ids, "video_id": owners, "duration_s": [4.0] * rows, **times}
    _write(corpus, "clips", part, CLIPS, clips | {"sharpness": random.exponential(300, rows)})
    scores = {f"score_{k:02d}": random.standard_normal(rows) for k in range(SCORES)}
    _write(corpus, "scores/made_up", part, SCORE_SCHEMA, {"clip_id": ids, **scores})
    copies = [ids[k - k % 10] if k % 10 < 2 else None for k in range(rows)]
    ranks = [k % 10 if copy else None for k, copy in enumerate(copies)]
    _write(corpus, "scores/dedup", part, DEDUP, {"clip_id": ids, "duplicate_group": copies, "duplicate_rank": ranks})
    failed = {f"{name}:min": scores[name] < limit for name, limit in LINES.items()}
    reasons = [[name for name, mask in failed.items() if mask[k]] for k in range(rows)]
    counts |= {name: counts[name] + int(mask.sum()) for name, mask in failed.items()}
    _write(corpus, "verdicts/pretrain", part, VERDICTS, {"clip_id": ids, "rejected_by": reasons})
    paths = [f"/footage/{part:05d}/{video}.mp4" for video in video_ids]
    length = 4.0 * CLIPS_A_VIDEO
    seconds = {name: [0.0] * VIDEOS_A_PART for name in ("transition_s", "trimmed_s", "short_s", "failed_s")}
    whole = {"duration_s": [length] * VIDEOS_A_PART, "clips_s": [length] * VIDEOS_A_PART, **seconds}
    ends = {"first_pts": [0] * VIDEOS_A_PART, "end_pts": [4000 * CLIPS_A_VIDEO] * VIDEOS_A_PART}
    about = {"video_id": video_ids, "path": paths}
    _write(corpus, "videos", part, VIDEOS, {**about, "status": ["ok"] * VIDEOS_A_PART, **whole, **ends})
    _write(corpus, "inputs", part, INPUTS, {**about, "size_bytes": [1] * VIDEOS_A_PART})
    frames = {"video_id": owners, "pts": starts + 2000, "time_s": starts / 1000 + 2}
    _write(corpus, "proxies", part, PROXIES, {**frames, "jpeg": [jpegs[k % len(jpegs)] for k in range(rows)]})


def _write(corpus: Corpus, table: str, part: int, schema: pa.Schema, columns: dict) -> None:
    rows = len(next(iter(columns.values())))
    arrays = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(rows, f.type) for f in schema]
    corpus.write(table, part_name(part), pa.table(arrays, schema=schema), schema)


def _picture(random: np.random.Generator) -> bytes:
    """A JPEG of some 20 kilobytes."""
    file = io.BytesIO()
    small = Image.fromarray(random.integers(0, 256, (12, 21, 3), np.uint8))
    small.resize((640, 360)).save(file, "JPEG", quality=80)
    return file.getvalue()


def measure(root: Path) -> dict:
    """Of a corpus, in this process."""
    corpus, start = Corpus(root), time.monotonic()
    sums = stats.run(corpus, CONFIG)
    tables_s = time.monotonic() - start
    page = write_report(corpus, CONFIG, sums)
    page_s = time.monotonic() - start - tables_s
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    figures = {"tables_s": tables_s, "page_s": page_s, "page_bytes": page.stat().st_size, "peak_bytes": memory}
    return {name: round(value, 1) for name, value in figures.items()}


def measure_apart(num_clips: int) -> dict:
    """The same of a corpus of so many clips, in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        make_corpus(Path(scratch) / "corpus", num_clips)
        command = [sys.executable, str(Path(__file__).resolve()), "--of", str(Path(scratch) / "corpus")]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(told.splitlines()[-1])


def main() -> int:
    """Prints one line of JSON; exits 1 above a ceiling."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=1_000, help="clips of the small corpus")
    parser.add_argument("--many", type=int, default=1_000_000, help="clips of the large one; it takes 2 GB of disk")
    parser.add_argument("--of", type=Path, help="measure this corpus alone")
    options = parser.parse_args()
    if options.of:
        print(json.dumps(measure(options.of)))
        return 0
    figures = {f"{number} clips": measure_apart(number) for number in (options.few, options.many)}
    few, many = (each["page_bytes"] for each in figures.values())
    ok = many <= SIZE_CEILING and many <= GROWTH_CEILING * few
    floors = {"page_bytes": SIZE_CEILING, "growth of page_bytes": GROWTH_CEILING}
    print(json.dumps({"name": "report", "figures": figures, "floors": floors, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
