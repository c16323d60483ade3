from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from handmade import VIDEO, clip_ids, put_clips, put_dedup, put_scores, put_verdicts, put_videos, split_video

from curation import funnel, stats, streamed
from curation.config import CurateConfig, RuleSet
from curation.maker import stamped
from curation.report.page import NAME
from curation.tables import Corpus, part_name
from shards.schema import FAILURES, INPUTS
from shards.store import write_json, write_table

CONFIG = CurateConfig(scorers={"motion": None}, sets={"hq": RuleSet()})


@pytest.fixture
def corpus(tmp_path):
    """Two parts of two clips each, scored with an embedding, and filtered; one video is lost."""
    corpus = Corpus(tmp_path)
    for part, name in enumerate(["a", "b"]):
        lost = {"video_id": f"lost {name}", "status": "failed", "error": "no video stream"}
        put_videos(corpus, part, [split_video(2) | {"video_id": name}, lost])
        ids = put_clips(corpus, part, 2, first=2 * part, video_id=[name] * 2)
        embedding = pa.array([[1.0, 2.0]] * 2, pa.list_(pa.float16()))
        put_scores(corpus, part, "motion", ids, errors=[None, "dark"], flow=[1.0, None], embedding=embedding)
        put_dedup(corpus, part, ids)
        put_verdicts(corpus, part, "hq", ids, [[], ["flow:null"]])
    write_json(corpus.folder("verdicts/hq") / "rules.json", {})
    return corpus


def read(corpus, name):
    return pq.read_table(corpus.folder("stats") / f"{name}.parquet")


def test_one_row_a_clip_with_scores_errors_verdicts_and_source(corpus):
    stats.run(corpus, CONFIG)
    clips = read(corpus, "clips")
    assert clips["clip_id"].to_pylist() == clip_ids(4)
    assert clips["path"].to_pylist() == ["/films/a.mp4"] * 2 + ["/films/b.mp4"] * 2
    assert clips["flow"].to_pylist() == [1.0, None] * 2
    assert clips["motion_error"].to_pylist() == [None, "dark"] * 2
    assert clips["kept_hq"].to_pylist() == [True, False] * 2
    assert clips["rejected_by_hq"].to_pylist() == [[], ["flow:null"]] * 2
    assert {"duplicate_group", "duplicate_rank", "sharpness"} <= set(clips.column_names)
    assert "embedding" not in clips.column_names
    assert clips.schema.field("duration_s").metadata[b"unit"] == b"s"


def test_columns_of_the_users_table_stand_last_and_give_way(corpus):
    told = {"source": ("web", pa.string()), "flow": (7, pa.int64()), "kept_hq": (True, pa.bool_())}
    schema = pa.schema([*INPUTS, *((name, dtype) for name, (_, dtype) in told.items())])
    values = {name: value for name, (value, _) in told.items()}
    rows = [{"path": f"/films/{name}.mp4", "size_bytes": 1, "video_id": name, **values} for name in ("a", "lost a")]
    corpus.write("inputs", "part-00000", pa.Table.from_pylist(rows, schema=schema), schema)
    stats.run(corpus, CONFIG)
    clips = read(corpus, "clips")
    assert clips.column_names[-3:] == ["source", "input_flow", "input_kept_hq"]
    assert clips["source"].to_pylist() == ["web", "web", None, None], "the second part's table had no such column"
    assert clips["input_flow"].to_pylist() == [7, 7, None, None] and clips["flow"].to_pylist() == [1.0, None] * 2
    assert clips["kept_hq"].to_pylist() == [True, False] * 2
    assert clips.schema.field("input_flow").metadata[b"doc"] == b"`flow` of your table of videos"
    assert "input_flow" in read(corpus, "histograms")["score"].to_pylist()


def test_a_column_of_the_users_that_changed_its_type_stops_nothing(corpus):
    for part, (name, year, dtype) in enumerate([("a", 1999, pa.int64()), ("b", "late", pa.string())]):
        schema = pa.schema([*INPUTS, ("year", dtype)])
        row = {"size_bytes": 1, "year": year}
        rows = [row | {"path": f"/films/{video}.mp4", "video_id": video} for video in (name, f"lost {name}")]
        corpus.write("inputs", part_name(part), pa.Table.from_pylist(rows, schema=schema), schema)
    stats.run(corpus, CONFIG)
    assert read(corpus, "clips")["year"].to_pylist() == ["1999", "1999", "late", "late"]


def test_what_a_job_has_not_reached_is_null(corpus):
    for table in ("scores/motion", "scores/dedup", "verdicts/hq"):
        corpus.path(table, "part-00001").unlink()
    assert not funnel.broken(stats.run(corpus, CONFIG))
    clips = read(corpus, "clips")
    assert clips["flow"].to_pylist() == [1.0, None, None, None]
    assert clips["kept_hq"].to_pylist() == [True, False, None, None]


def test_a_set_that_was_not_filtered_to_the_end_is_not_counted_and_told(corpus, caplog):
    (corpus.folder("verdicts/hq") / "rules.json").unlink()
    sums = stats.run(corpus, CONFIG)
    assert "hq" not in [each.name for each in sums] and not funnel.broken(sums)
    assert "kept_hq" not in read(corpus, "clips").column_names
    assert set(read(corpus, "histograms")["rule_set"].to_pylist()) == {None}
    assert "the set hq was not filtered to the end and is not counted; run JOB=filter" in caplog.text


def test_without_later_jobs(tmp_path):
    corpus = Corpus(tmp_path)
    put_videos(corpus, 0, [split_video(2) | {"video_id": VIDEO}])
    put_clips(corpus, 0, 2)
    assert [each.name for each in stats.run(corpus, CONFIG)] == ["files", "videos", "footage"]
    assert "kept_hq" not in read(corpus, "clips").column_names
    assert len(read(corpus, "failures")) == 0


def test_failures(corpus):
    table = pa.table([["b-000-001"], ["cannot cut"]], schema=FAILURES)
    write_table(corpus.folder("shards/hq/failures") / "part-00001.parquet", table, FAILURES)
    lost = stats.failures(corpus, ["hq"]).to_pylist()
    assert [(row["path"], row["status"], row["error"]) for row in lost] == [
        ("/films/lost a.mp4", "failed", "no video stream"),
        ("/films/lost b.mp4", "failed", "no video stream"),
        ("/films/b.mp4", "not packed", "cannot cut"),
    ]
    assert lost[2]["video_id"] == "b" and lost[2]["clip_id"] == "b-000-001" and lost[2]["rule_set"] == "hq"
    assert lost[0]["clip_id"] is None


def test_a_broken_sum_leaves_no_table_of_clips_but_tells(corpus):
    stats.run(corpus, CONFIG)
    put_verdicts(corpus, 1, "hq", clip_ids(1, first=2), [[]])
    sums = stats.run(corpus, CONFIG)
    assert [each.name for each in funnel.broken(sums)] == ["hq"]
    assert not (corpus.folder("stats") / "clips.parquet").exists()
    assert False in read(corpus, "funnel")["holds"].to_pylist()


def test_a_part_made_with_other_weights_is_refused(corpus):
    write_json(corpus.folder("scores/motion") / "config.json", {"config": {}, "hash": "now"})
    for part, made_by in enumerate(["now", "then"]):
        rows = corpus.read("scores/motion", part_name(part))
        corpus.write("scores/motion", part_name(part), rows, stamped(rows.schema, made_by))
    with pytest.raises(
        ValueError, match=r"motion/part-00001.parquet was made with another .* weights .*Remove that file and run JOB"
    ):
        stats.run(corpus, CONFIG)
    rows = corpus.read("scores/motion", "part-00001")
    corpus.write("scores/motion", "part-00001", rows, stamped(rows.schema, "now"))
    stats.run(corpus, CONFIG)
    assert len(read(corpus, "clips")) == 4


def test_clips_that_changed_places_are_refused(corpus):
    put_verdicts(corpus, 1, "hq", clip_ids(2, first=2)[::-1], [[], []])
    with pytest.raises(ValueError, match="does not mirror"):
        stats.run(corpus, CONFIG)
    assert list(corpus.folder("stats").glob(".*")) == []


def test_row_groups_hold_many_parts(corpus, monkeypatch):
    stats.run(corpus, CONFIG)
    assert pq.ParquetFile(corpus.folder("stats") / "clips.parquet").num_row_groups == 1
    monkeypatch.setattr(streamed, "GROUP_ROWS", 1)
    stats.run(corpus, CONFIG)
    assert pq.ParquetFile(corpus.folder("stats") / "clips.parquet").num_row_groups == 2


def test_equal_input_gives_equal_bytes(corpus):
    written = []
    for _ in range(2):
        stats.run(corpus, CONFIG)
        written.append([path.read_bytes() for path in sorted(corpus.folder("stats").iterdir())])
    assert written[0] == written[1] and len(written[0]) == 5


def test_a_corpus_of_broken_files_alone_has_an_empty_table_of_clips(tmp_path):
    corpus = Corpus(tmp_path)
    put_videos(corpus, 0, [{"video_id": "bad", "status": "failed", "error": "no video stream"}])
    ids = put_clips(corpus, 0, 0)
    put_scores(corpus, 0, "motion", ids, flow=[])
    put_dedup(corpus, 0, ids)
    put_verdicts(corpus, 0, "hq", ids, [])
    write_json(corpus.folder("verdicts/hq") / "rules.json", {})
    sums = stats.run(corpus, CONFIG)
    assert not funnel.broken(sums) and "1 failed" in funnel.render(sums)
    clips = read(corpus, "clips")
    assert len(clips) == 0 and {"clip_id", "flow", "kept_hq"} <= set(clips.column_names)
    assert len(read(corpus, "failures")) == 1


def test_the_readme_names_all_that_lies_in_stats():
    told = Path("README.md").read_text(encoding="utf-8").split("## What comes out")[1].split("## ")[0]
    assert [name for name in (*stats.TABLES, NAME) if name not in told] == []
