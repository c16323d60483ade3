import pyarrow as pa
import pytest
from handmade import (
    VIDEO,
    clip_ids,
    put_clips,
    put_dedup,
    put_inputs,
    put_scores,
    put_verdicts,
    put_videos,
    split_video,
)

from curation import accounts, funnel
from curation.tables import Corpus
from shards.schema import FAILURES, INDEX, INPUTS
from shards.store import write_json, write_table


@pytest.fixture
def corpus(tmp_path):
    """Four clips of one video, scored and filtered, beside two lost videos and a byte copy."""
    corpus = Corpus(tmp_path)
    lost = [
        {"video_id": "bad", "status": "failed", "error": "no video stream: only audio"},
        {"video_id": "worse", "status": "failed", "error": "no video stream: only text"},
        {"video_id": "worst", "status": "quarantined", "error": "hung"},
    ]
    put_inputs(corpus, 0, [VIDEO, "bad", VIDEO, "worse", "worst"])
    put_videos(corpus, 0, [split_video(4, short_s=0.5, trimmed_s=0.25), *lost])
    ids = put_clips(corpus, 0, 4)
    put_scores(corpus, 0, "motion", ids, errors=[None, "too short: 1 frame", None, None], flow=[1.0, None, 2.0, 3.0])
    put_dedup(corpus, 0, ids, ["g", "g", None, None], [0, 1, None, None])
    put_verdicts(corpus, 0, "hq", ids, [[], ["flow:null", "duplicate"], ["flow:min"], []])
    return corpus


def put_index(corpus, kind, rows):
    """An index of a shard with this many samples."""
    table = pa.table([pa.nulls(rows, column.type) for column in INDEX], schema=INDEX)
    write_table(corpus.folder(f"shards/hq/{kind}") / "00000.parquet", table, INDEX)


def counted(corpus):
    return {(each.job, each.name): each for each in accounts.count(corpus, ["motion"], ["hq"])}


def parts(each):
    return {part.what: part.count for part in each.parts}


def test_every_sum_holds(corpus):
    sums = counted(corpus)
    assert not funnel.broken(sums.values())
    assert sums["split", "files"].whole.count == 5
    assert parts(sums["split", "files"]) == {"unique videos": 4, "byte copies": 1}
    assert parts(sums["split", "videos"]) == {"split": 1, "failed": 2, "quarantined": 1}
    assert [part.reasons for part in sums["split", "videos"].parts] == [{}, {"no video stream": 2}, {"hung": 1}]
    assert sums["split", "footage"].whole.hours == pytest.approx(8.75 / 3600)
    assert parts(sums["score", "motion"]) == {"scored": 3, "failed": 1}
    assert parts(sums["dedup", "groups"]) == {"unlike any other": 2, "best of a group": 1, "copies": 1}
    assert parts(sums["filter", "hq"]) == {"kept": 2, "rejected": 2}
    rejected = sums["filter", "hq"].parts[1]
    assert rejected.hours == pytest.approx(4 / 3600)
    assert rejected.reasons == {"duplicate": 1, "flow:min": 1, "flow:null": 1}
    assert rejected.alone == {"flow:min": 1}


def test_jobs_that_did_not_run_are_left_out(tmp_path):
    corpus = Corpus(tmp_path)
    assert counted(corpus) == {}
    put_videos(corpus, 0, [split_video(0)])
    put_clips(corpus, 0, 0)
    assert list(counted(corpus)) == [("split", "files"), ("split", "videos"), ("split", "footage")]
    assert not funnel.broken(counted(corpus).values())


def test_parts_that_a_job_has_not_reached_are_told(corpus):
    put_inputs(corpus, 1, ["new", "newer", VIDEO])
    assert parts(counted(corpus)["split", "videos"])["not yet split"] == 2
    put_videos(corpus, 1, [{"video_id": "new", "status": "failed"}, split_video(1) | {"video_id": "newer"}])
    put_clips(corpus, 1, 1, first=4)
    sums = counted(corpus)
    assert not funnel.broken(sums.values())
    assert parts(sums["score", "motion"])["not yet scored"] == 1
    assert parts(sums["dedup", "groups"])["not yet compared"] == 1
    assert parts(sums["filter", "hq"])["not yet filtered"] == 1


def lose_video(corpus):
    put_videos(corpus, 0, [split_video(4), {"video_id": "bad", "status": "failed", "error": "x"}])


def lose_clip(corpus):
    put_clips(corpus, 0, 3)


def lose_score(corpus):
    put_scores(corpus, 0, "motion", clip_ids(3), flow=[1.0, 2.0, 3.0])


def lose_group(corpus):
    put_dedup(corpus, 0, clip_ids(3))


def lose_verdict(corpus):
    put_verdicts(corpus, 0, "hq", clip_ids(3), [[], [], []])


def gain_verdict(corpus):
    put_verdicts(corpus, 1, "hq", clip_ids(1, first=4), [[]])
    put_clips(corpus, 1, 0)


@pytest.mark.parametrize(
    ("plant", "broken"),
    [
        (lose_video, ("split", "videos")),
        (lose_clip, ("split", "footage")),
        (lose_score, ("score", "motion")),
        (lose_group, ("dedup", "groups")),
        (lose_verdict, ("filter", "hq")),
        (gain_verdict, ("filter", "hq")),
    ],
)
def test_a_planted_loss_breaks_its_sum(corpus, plant, broken):
    plant(corpus)
    sums = accounts.count(corpus, ["motion"], ["hq"])
    assert broken in {(each.job, each.name) for each in funnel.broken(sums)}
    text = funnel.render(sums)
    assert f"✗ {broken[0]}" in text and "do not hold" in text and "a defect of Rushes" in text


def test_packed_samples(corpus):
    put_index(corpus, "train", 1)
    assert parts(counted(corpus)["pack", "hq"]) == {"train": 1, "val": 0, "failed": 0, "not yet packed": 1}
    failures = corpus.folder("shards/hq/failures") / "00000.parquet"
    write_table(failures, pa.table([clip_ids(1), ["cannot cut: no keyframe"]], schema=FAILURES), FAILURES)
    put_index(corpus, "val", 0)
    write_json(corpus.folder("verdicts/hq") / "rules.json", {"kept_hash": "now"})
    write_json(corpus.folder("shards/hq") / accounts.PACK_DONE, {"kept_hash": "now", "kept": 2})
    packed = counted(corpus)["pack", "hq"]
    assert packed.holds and parts(packed) == {"train": 1, "val": 0, "failed": 1}
    assert packed.parts[2].reasons == {"cannot cut": 1}
    put_index(corpus, "train", 0)
    assert not counted(corpus)["pack", "hq"].holds


def test_shards_packed_by_earlier_rules_are_no_loss(corpus):
    put_index(corpus, "train", 3)
    write_json(corpus.folder("verdicts/hq") / "rules.json", {"kept_hash": "now"})
    write_json(corpus.folder("shards/hq") / accounts.PACK_DONE, {"kept_hash": "then", "kept": 3})
    packed = counted(corpus)["pack", "hq"]
    assert packed.holds and packed.whole.what == "kept by earlier rules"


def test_packing_that_was_interrupted_and_then_filtered_anew_is_no_loss(corpus):
    put_index(corpus, "train", 3)
    write_json(corpus.folder("verdicts/hq") / "rules.json", {"kept_hash": "now"})
    write_json(corpus.folder("shards/hq") / "plan/plan.json", {"kept_hash": "then", "kept": 5})
    packed = counted(corpus)["pack", "hq"]
    assert packed.holds and packed.whole.what == "kept by earlier rules"
    assert parts(packed) == {"train": 3, "val": 0, "failed": 0, "not yet packed": 2}
    write_json(corpus.folder("verdicts/hq") / "rules.json", {"kept_hash": "then"})
    assert not counted(corpus)["pack", "hq"].holds, "more packed than these rules keep"


def test_videos_of_other_files_break_the_sum(corpus):
    videos = corpus.read("videos", "part-00000").to_pylist()
    for strange in ("stranger", videos[1]["video_id"]):
        put_videos(corpus, 0, [*videos[:-1], videos[-1] | {"video_id": strange}])
        assert funnel.broken(counted(corpus).values()), "as many rows, but one of another file"
        put_videos(corpus, 0, [*videos, videos[-1] | {"video_id": strange}])
        assert funnel.broken(counted(corpus).values())


def test_a_path_that_is_listed_twice_breaks_the_sum(corpus):
    corpus.write("inputs", "part-00001", corpus.read("inputs", "part-00000").slice(0, 1), INPUTS)
    assert not counted(corpus)["split", "files"].holds


def test_more_packed_than_kept_is_a_defect(corpus):
    put_index(corpus, "train", 3)
    assert not counted(corpus)["pack", "hq"].holds


def test_the_text(corpus):
    lines = funnel.render(accounts.count(corpus, ["motion"], ["hq"])).splitlines()
    assert " ".join(lines[0].split()) == "✓ split files 5 files = 4 unique videos + 1 byte copies"
    assert lines[2].strip() == "failed: 2 no video stream"
    assert any("8.8 s footage decoded = 8.0 s in clips" in line for line in lines)
    assert any("4 clips (8.0 s) = 2 kept (4.0 s) + 2 rejected (4.0 s)" in line for line in lines)
    assert any("1 flow:min (1 by this alone)" in line for line in lines)
    assert not any("do not hold" in line for line in lines)


def test_the_table(corpus):
    rows = funnel.to_table(accounts.count(corpus, ["motion"], ["hq"])).to_pylist()
    hq = [(row["role"], row["what"], row["count"], row["alone"]) for row in rows if row["job"] == "filter"]
    assert hq == [
        ("whole", "clips", 4, None),
        ("part", "kept", 2, None),
        ("part", "rejected", 2, None),
        ("reason", "duplicate", 1, 0),
        ("reason", "flow:min", 1, 1),
        ("reason", "flow:null", 1, 0),
    ]
    assert all(row["holds"] for row in rows)


def test_causes_are_the_text_before_the_colon():
    assert accounts.by_cause(pa.chunked_array([["b: 1", "a", "b: 2\n:", " c :x:y"]])) == {"b": 2, "a": 1, "c": 1}
