"""Real footage, broken files included: it finishes, its sums hold, and what is packed plays."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from demo_corpus import read

from curation.__main__ import main
from shards.reader import ShardSet
from shards.video import open_video

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_real_footage_is_curated_to_clips_that_play(media: Path, tmp_path, capsys):
    out = tmp_path / "real"
    arguments = ["run", "--config", "configs/curate/default.yaml", "--videos", str(media / "video"), "--out", str(out)]
    assert main([*arguments, "--pack.samples_per_shard", "16", "--pack.preset", "ultrafast"]) == 0
    said = capsys.readouterr().out
    assert "✓ split  files" in said and "✓ split  videos" in said and "✗" not in said
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
