import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from handmade import put_videos, split_video
from reportable import TICKS, put_corpus

from curation.coverage import COVERAGE, coverage
from curation.funnel import Amount, Sum
from curation.report import copies, losses
from curation.report.flow import shares, steps
from curation.report.timelines import timelines
from curation.stats import LOST
from curation.tables import Corpus


def test_a_timeline_in_percent_of_the_video(tmp_path):
    first, _ = timelines(put_corpus(tmp_path), ["hq"])
    assert first.path == "/films/film" and first.num_clips == 12
    assert first.cuts == pytest.approx([100 * k / 12 for k in range(1, 12)])
    assert [span.start for span in first.clips] == pytest.approx([100 * k / 12 for k in range(12)])
    assert [span.width for span in first.clips] == pytest.approx([100 / 12] * 12)
    assert [span.kept["hq"] for span in first.clips] == [False] * 6 + [True] * 6
    assert [shot.start_pts for shot in first.shots] == [k * 12 * TICKS // 8 for k in range(8)]


def test_a_timeline_tells_transitions_from_what_may_be_one(tmp_path):
    found = {"transitions_pts": [{"start_pts": 10, "end_pts": 30}], "suspected_pts": [{"start_pts": 50, "end_pts": 60}]}
    put_videos(Corpus(tmp_path), 0, [split_video(1) | {"first_pts": 0, "end_pts": 100} | found])
    (timeline,) = timelines(Corpus(tmp_path), [])
    assert [(span.start, span.width) for span in timeline.transitions] == [(10, 20), (50, 10)]
    assert [span.words for span in timeline.transitions] == ["transition", "perhaps a transition"]


def groups_of(tmp_path, rows):
    names = [*copies.COLUMNS, *copies.LIKENESS]
    schema = pa.schema([(name, pa.string() if "group" in name else pa.float64()) for name in names])
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "c.parquet", row_group_size=2)
    with pq.ParquetFile(tmp_path / "c.parquet") as file:
        return copies.groups(file)


def test_groups_of_each_kind_the_best_first(tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "GROUPS_A_KIND", 2)
    rows = [{"duplicate_group": "e", "duplicate_rank": 1, "exact_rank": 1, "perceptual_rank": 1}]
    rows += [{"duplicate_group": f"s{k}", "duplicate_rank": rank} for k in (3, 2, 1) for rank in (1, 0)]
    rows += [{}, {"duplicate_group": "e", "duplicate_rank": 0, "exact_rank": 0, "perceptual_rank": 0}]
    rows += [{"duplicate_group": "p", "duplicate_rank": rank, "perceptual_rank": rank} for rank in range(8)]
    found = [(group.kind, group.size, group.rows) for group in groups_of(tmp_path, rows)]
    assert found == [
        ("almost equal embeddings", 2, [6, 5]),
        ("almost equal embeddings", 2, [4, 3]),
        ("same footage", 8, [9, 10, 11, 12, 13, 14]),
        ("equal frames", 2, [8, 0]),
    ]


def test_failures_by_cause_some_of_each(tmp_path, monkeypatch):
    monkeypatch.setattr(losses, "A_CAUSE", 2)
    errors = ["rare", "often: 3", "often: 2", None, "often: 1"]
    rows = [{"path": f"/{k}", "error": error} for k, error in enumerate(errors)]
    pq.write_table(pa.Table.from_pylist(rows, LOST), tmp_path / "f.parquet", row_group_size=2)
    with pq.ParquetFile(tmp_path / "f.parquet") as file:
        found = losses.failures(file)
    assert found.total == 5 and found.causes == {"often": 3, "no reason": 1, "rare": 1}
    assert [row["path"] for row in found.rows] == ["/1", "/2", "/3", "/0"]
    monkeypatch.setattr(losses, "MAX_ROWS", 3)
    with pq.ParquetFile(tmp_path / "f.parquet") as file:
        assert [row["path"] for row in losses.failures(file).rows] == ["/1", "/2", "/3"]


def test_no_failures(tmp_path):
    pq.write_table(LOST.empty_table(), tmp_path / "f.parquet")
    with pq.ParquetFile(tmp_path / "f.parquet") as file:
        assert losses.failures(file) == losses.Failures(0, {}, [])


def test_videos_that_lost_most(tmp_path, monkeypatch):
    monkeypatch.setattr(losses, "NUM_VIDEOS", 2)
    corpus = Corpus(tmp_path)
    videos = [split_video(2, short_s=float(lost)) | {"video_id": f"{k}"} for k, lost in enumerate([0, 3, 9, 4])]
    put_videos(corpus, 0, [*videos, {"video_id": "x", "status": "failed"}])
    pq.write_table(pa.concat_tables(t.cast(COVERAGE) for t in coverage(corpus)), tmp_path / "c.parquet")
    with pq.ParquetFile(tmp_path / "c.parquet") as file:
        assert [row["video_id"] for row in losses.most_lost(file)] == ["2", "3"]


def test_the_funnel_of_a_set():
    inside, outside = Amount("in clips", hours=8.0), Amount("trimmed", hours=2.0)
    footage = Sum("split", "footage", Amount("footage decoded", hours=10.0), [inside, outside])
    kept, rejected = Amount("kept", 30, 6.0), Amount("rejected", 10, 2.0)
    filtered = Sum("filter", "hq", Amount("clips", 40, 8.0), [kept, rejected])
    packed = Sum("pack", "hq", kept, [Amount("train", 18), Amount("val", 2), Amount("failed", 10)])
    told = [(step.what, step.count, step.hours, step.share) for step in steps([footage, filtered, packed], "hq")]
    assert told[1:] == [("in clips", 40, 8.0, 0.8), ("kept by hq", 30, 6.0, 0.6), ("packed", 20, 4.0, 0.4)]
    assert [step.what for step in steps([footage], None)] == ["footage decoded", "in clips"] and steps([], "hq") == []
    assert shares(footage) == [0.8, 0.2] and shares(packed) == [0.6, 2 / 30, 10 / 30]
