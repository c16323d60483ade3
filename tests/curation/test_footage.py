"""Real footage, broken files included: it ends, its sums hold, what is packed plays, and thresholds can be tried."""

import base64
import contextlib
import io
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from demo_corpus import read
from PIL import Image
from reportable import SECTIONS

from curation.__main__ import main
from shards.reader import ShardSet
from shards.store import read_json
from shards.video import open_video

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def said(*arguments: str) -> str:
    """What a command says that ends well."""
    with contextlib.redirect_stdout(io.StringIO()) as told:
        assert main(list(arguments)) == 0
    return told.getvalue()


@pytest.fixture(scope="module")
def curated(media: Path, tmp_path_factory) -> tuple[Path, str]:
    """The corpus, and what was said while it was made."""
    out = tmp_path_factory.mktemp("footage") / "real"
    arguments = ["--config", "configs/curate/default.yaml", "--videos", str(media / "video"), "--out", str(out)]
    return out, said("run", *arguments, "--pack.samples_per_shard", "16", "--pack.preset", "ultrafast")


def verdicts(out: Path, name: str) -> list[bool]:
    return [not row["rejected_by"] for row in read(out, f"verdicts/{name}")]


def test_real_footage_is_curated_to_clips_that_play(curated, tmp_path):
    out, told = curated
    assert "✓ split  files" in told and "✓ split  videos" in told and "✗" not in told
    sums = pq.read_table(out / "stats/funnel.parquet").to_pylist()
    assert sums and all(row["holds"] for row in sums)
    failed = [row for row in read(out, "videos") if row["status"] != "ok"]
    assert len(failed) >= 10 and all(row["error"] for row in failed)
    shards = ShardSet(out / "shards/pretrain/train")
    assert len(shards) >= 20
    for index in range(len(shards)):
        sample = shards.read(index)
        path = tmp_path / "clip.mp4"
        path.write_bytes(sample.content)
        with open_video(str(path)) as video:
            assert sum(1 for _ in video.frames()) == sample.meta["num_frames"]


def test_its_report_is_whole(curated):
    page = (curated[0] / "stats/report.html").read_text(encoding="utf-8")
    assert re.findall(r'<section id="([\w-]+)"', page) == SECTIONS and len(page.encode()) < 15_000_000
    assert "<strong>Some sums do not hold" not in page and "There is no clip" not in page and "No set was" not in page
    pictures = set(re.findall(r'src="data:image/webp;base64,([^"]+)"', page))
    sizes = [Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB").size for picture in pictures]
    assert len(sizes) >= 50 and min(min(size) for size in sizes) > 20
    lost = pq.read_table(curated[0] / "stats/failures.parquet").to_pylist()
    assert len(lost) >= 10 and all(Path(row["path"]).name in page.split('id="failures"')[1] for row in lost)


def test_another_threshold_is_tried_and_nothing_is_written(curated):
    out, _ = curated
    kept = verdicts(out, "pretrain")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    flows = sorted(row["motion"] for row, stays in zip(read(out, "scores/motion"), kept, strict=True) if stays)
    limit = flows[len(flows) // 2]
    told = said("filter", "--out", str(out), "--set", f"pretrain.motion.min={limit}", "--dry-run")
    (tried,) = re.findall(r"  kept: (\d+) ", told.split("filter hq")[0])
    assert 0 < int(tried) < sum(kept) and "more rejected" in told
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_a_sweep_writes_its_sets(curated):
    out, _ = curated
    said("sweep", "--out", str(out), "--columns=[motion]")
    shares = [f"sweep_motion_bottom_{share}" for share in ("12_5", "25", "50")]
    names = ["sweep_raw", *shares]
    assert {path.name for path in (out / "verdicts").glob("sweep_*")} == {*names, "sweep_full"}
    kept = [sum(verdicts(out, name)) for name in names]
    assert kept == sorted(set(kept), reverse=True) and kept[-1] > 0
    assert kept == [read_json(out / f"verdicts/{name}/rules.json")["counts"]["kept"] for name in names]
