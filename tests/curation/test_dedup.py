import random

import pyarrow as pa
import pytest
from handmade import put_clips

from curation import dedup
from curation.tables import Corpus


def test_groups_and_ranks_across_parts(tmp_path):
    corpus = Corpus(tmp_path)
    # The best comes in the second part: most pixels win over sharpness, sharpness over the id.
    first = put_clips(corpus, 0, 3, content_hash=["aa", "bb", "aa"], sharpness=[9.0, 5.0, 10.0])
    second = put_clips(
        corpus, 1, 3, first=3, content_hash=["aa", "cc", "aa"], width=[1280, 1, 640], sharpness=[1.0, 1.0, 9.0]
    )
    assert dedup.run(corpus) == {"clips": 6, "groups": 1, "copies": 3}
    rows = corpus.read_all("scores/dedup")
    assert rows["clip_id"].to_pylist() == first + second
    assert rows["duplicate_group"].to_pylist() == ["aa-50", None, "aa-50", "aa-50", None, "aa-50"]
    assert rows["duplicate_rank"].to_pylist() == [2, None, 1, 0, None, 3]


def test_missing_sharpness_ranks_last_and_equal_clips_rank_by_id(tmp_path):
    corpus = Corpus(tmp_path)
    sharpness = [None, float("nan"), 1.0, 1.0]
    put_clips(corpus, 0, 4, content_hash=["aa"] * 4, sharpness=sharpness)
    dedup.run(corpus)
    assert corpus.read_all("scores/dedup")["duplicate_rank"].to_pylist()[2:] == [0, 1]


def test_equal_hashes_with_other_lengths_and_missing_hashes_are_no_duplicates(tmp_path):
    corpus = Corpus(tmp_path)
    put_clips(corpus, 0, 4, content_hash=["aa", "aa", None, None], num_frames=[50, 51, 50, 50])
    assert dedup.run(corpus) == {"clips": 4, "groups": 0, "copies": 0}
    assert corpus.read_all("scores/dedup")["duplicate_group"].null_count == 4


def test_new_parts_mean_that_all_are_written_anew(tmp_path):
    corpus = Corpus(tmp_path)
    put_clips(corpus, 0, 1, content_hash=["aa"])
    dedup.run(corpus)
    assert dedup.is_done(corpus)
    put_clips(corpus, 1, 1, first=1, content_hash=["aa"], width=[6400])
    assert not dedup.is_done(corpus)
    dedup.run(corpus)
    assert dedup.is_done(corpus)
    assert corpus.read_all("scores/dedup")["duplicate_rank"].to_pylist() == [1, 0]


def test_parts_without_clips(tmp_path):
    corpus = Corpus(tmp_path)
    with pytest.raises(ValueError, match="run the job `split` first"):
        dedup.run(corpus)
    put_clips(corpus, 0, 0)
    assert dedup.run(corpus) == {"clips": 0, "groups": 0, "copies": 0}
    assert dedup.is_done(corpus)


def test_equal_input_gives_equal_bytes(tmp_path):
    files = []
    for root in (tmp_path / "a", tmp_path / "b"):
        put_clips(Corpus(root), 0, 6, content_hash=["aa", "bb", "aa", "bb", "aa", "cc"])
        dedup.run(Corpus(root))
        files.append((root / "scores/dedup/part-00000.parquet").read_bytes())
    assert files[0] == files[1]


def test_against_a_plain_loop(tmp_path):
    rng, corpus = random.Random(0), Corpus(tmp_path)
    clips = []
    for part in range(5):
        size = rng.randrange(40)
        columns = {
            "content_hash": [f"{rng.randrange(60):x}" for _ in range(size)],
            "sharpness": [float(rng.randrange(3)) for _ in range(size)],
            "width": [rng.choice([320, 640]) for _ in range(size)],
        }
        ids = put_clips(corpus, part, size, first=100 * part, **columns)
        clips += pa.table({**columns, "id": pa.array(ids, pa.string())}).to_pylist()
    dedup.run(corpus)
    got = {
        row["clip_id"]: (row["duplicate_group"], row["duplicate_rank"])
        for row in corpus.read_all("scores/dedup").to_pylist()
    }
    for clip in clips:
        group = [other for other in clips if other["content_hash"] == clip["content_hash"]]
        group.sort(key=lambda c: (-c["width"], -c["sharpness"], c["id"]))
        expected = (f"{clip['content_hash']}-50", group.index(clip)) if len(group) > 1 else (None, None)
        assert got[clip["id"]] == expected


def test_spares_of_a_group():
    members = pa.table(
        {
            "row": pa.array(range(6), pa.int64()),
            "duplicate_group": ["a", "a", "a", "b", "b", "b"],
            "duplicate_rank": pa.array([0, 1, 2, 2, 1, 0], pa.int32()),
            "passed": [False, True, True, False, False, False],
        }
    )
    # Of `a` the second-best is chosen, and its rejected better is spare too; of `b` none passed, so none is spare.
    assert dedup.spare_rows(members).tolist() == [0, 2]
