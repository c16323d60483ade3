import random

import numpy as np
import pyarrow as pa
import pytest
from handmade import put_clips, put_scores
from stand_in import Sum

from curation import dedup
from curation.duplicates.config import DedupConfig, PerceptualConfig, SemanticConfig
from curation.scorers.fingerprint import Fingerprint
from curation.scorers.openclip import OpenClip
from curation.tables import Corpus

SCORERS = {"fingerprint": Fingerprint(), "openclip": OpenClip(model="any")}
ALL_KINDS = DedupConfig(perceptual=PerceptualConfig(), semantic=SemanticConfig(epsilon=0.05))


def test_groups_and_ranks_across_parts(tmp_path):
    corpus = Corpus(tmp_path)
    # The best comes in the second part.
    first = put_clips(corpus, 0, 3, content_hash=["aa", "bb", "aa"], sharpness=[9.0, 5.0, 10.0])
    second = put_clips(corpus, 1, 3, first=3, content_hash=["aa", "cc", "aa"], sharpness=[11.0, 1.0, 9.0])
    assert dedup.run(corpus) == {"clips": 6, "exact copies": 3, "perceptual copies": 0, "semantic copies": 0}
    rows = corpus.read_all("scores/dedup")
    assert rows["clip_id"].to_pylist() == first + second
    best = second[0]
    for kind in dedup.KINDS:  # each kind of group contains those of the kinds before
        assert rows[f"{kind}_group"].to_pylist() == [best, None, best, best, None, best]
        assert rows[f"{kind}_rank"].to_pylist() == [2, None, 1, 0, None, 3]
    assert rows["perceptual_similarity"].to_pylist() == [1, None, 1, None, None, 1]
    assert rows["semantic_similarity"].null_count == 6


def test_missing_sharpness_ranks_last_and_equal_clips_rank_by_id(tmp_path):
    corpus = Corpus(tmp_path)
    sharpness = [None, float("nan"), 1.0, 1.0]
    put_clips(corpus, 0, 4, content_hash=["aa"] * 4, sharpness=sharpness)
    dedup.run(corpus)
    assert corpus.read_all("scores/dedup")["duplicate_rank"].to_pylist()[2:] == [0, 1]


def test_equal_hashes_with_other_lengths_and_missing_hashes_are_no_duplicates(tmp_path):
    corpus = Corpus(tmp_path)
    put_clips(corpus, 0, 4, content_hash=["aa", "aa", None, None], num_frames=[50, 51, 50, 50])
    assert dedup.run(corpus)["exact copies"] == 0
    assert corpus.read_all("scores/dedup")["duplicate_group"].null_count == 4


def test_new_parts_mean_that_all_are_written_anew(tmp_path):
    corpus = Corpus(tmp_path)
    put_clips(corpus, 0, 1, content_hash=["aa"])
    dedup.run(corpus)
    assert dedup.is_done(corpus)
    put_clips(corpus, 1, 1, first=1, content_hash=["aa"], sharpness=[1.0])
    assert not dedup.is_done(corpus)
    dedup.run(corpus)
    assert dedup.is_done(corpus)
    assert corpus.read_all("scores/dedup")["duplicate_rank"].to_pylist() == [1, 0]


def test_parts_without_clips(tmp_path):
    corpus = Corpus(tmp_path)
    with pytest.raises(ValueError, match="run the job `split` first"):
        dedup.run(corpus)
    put_clips(corpus, 0, 0)
    assert dedup.run(corpus)["clips"] == 0
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
        group = [o for o in clips if (o["content_hash"], o["width"]) == (clip["content_hash"], clip["width"])]
        group.sort(key=lambda c: (-c["sharpness"], c["id"]))
        expected = (group[0]["id"], group.index(clip)) if len(group) > 1 else (None, None)
        assert got[clip["id"]] == expected


def test_spares_of_a_group():
    members = pa.table(
        {
            "row": pa.array(range(6), pa.int64()),
            "group": ["a", "a", "a", "b", "b", "b"],
            "rank": pa.array([0, 1, 2, 2, 1, 0], pa.int32()),
            "passed": [False, True, True, False, False, False],
        }
    )
    # Of `a` the second-best is chosen, and its rejected better is spare too; of `b` none passed, so none is spare.
    assert dedup.spare_rows(members).tolist() == [0, 2]


def put_pictures(corpus, part, ids, films, embeddings):
    """Fingerprints of four frames of these films, and embeddings of two numbers; None is a failed score."""
    words = [None if film is None else np.random.default_rng(film).integers(0, 2**64, 8, np.uint64) for film in films]
    times = [None if film is None else [0.0, 0.5, 1.0, 1.5] for film in films]
    hashes = {
        "frame_hashes": pa.array(words, pa.list_(pa.uint64())),
        "frame_hash_times_s": pa.array(times, pa.list_(pa.float32())),
    }
    vectors = [None if angle is None else np.array([np.cos(angle), np.sin(angle)], np.float16) for angle in embeddings]
    put_scores(corpus, part, "fingerprint", ids, **hashes)
    put_scores(corpus, part, "openclip", ids, clip_embedding=pa.array(vectors, pa.list_(pa.float16())))


def put_all_kinds(root):
    """Six clips: 4 is an exact copy of 0, 1 shows the film of 0 anew, 2 means what 1 and 0 mean, 3 and 5 are alone."""
    corpus = Corpus(root)
    first = put_clips(corpus, 0, 3, content_hash=["aa", "bb", "cc"], sharpness=[9.0, 8.0, 7.0])
    second = put_clips(corpus, 1, 3, first=3, content_hash=["dd", "aa", "ee"], sharpness=[6.0, 5.0, 4.0])
    put_pictures(corpus, 0, first, [1, 1, 2], [0.0, 1.0, 0.1])
    put_pictures(corpus, 1, second, [3, 1, None], [0.8, 0.0, None])
    return corpus, first + second


def test_each_kind_contains_the_kinds_before(tmp_path):
    corpus, ids = put_all_kinds(tmp_path)
    counts = dedup.run(corpus, ALL_KINDS, SCORERS)
    assert counts == {"clips": 6, "exact copies": 1, "perceptual copies": 1, "semantic copies": 1}
    rows = corpus.read_all("scores/dedup")
    best = ids[0]
    assert rows["exact_group"].to_pylist() == [best, None, None, None, best, None]
    assert rows["perceptual_group"].to_pylist() == [best, best, None, None, best, None]
    assert rows["duplicate_group"].to_pylist() == [best, best, best, None, best, None]
    assert rows["duplicate_rank"].to_pylist() == [0, 1, 2, None, 3, None]
    assert rows["perceptual_similarity"].to_pylist() == [None, 1, None, None, 1, None]
    cosine = rows["semantic_similarity"].to_pylist()
    assert cosine[2] == pytest.approx(np.cos(0.1), abs=1e-3) and cosine.count(None) == 5


def test_a_column_of_a_score_may_rank(tmp_path):
    corpus = Corpus(tmp_path)
    ids = put_clips(corpus, 0, 3, content_hash=["aa"] * 3, sharpness=[3.0, 2.0, 1.0])
    put_scores(corpus, 0, "openclip", ids, clip_similarity=[0.1, None, 0.3])
    dedup.run(corpus, DedupConfig(rank=["clip_similarity", "sharpness"]), SCORERS)
    assert corpus.read_all("scores/dedup")["duplicate_rank"].to_pylist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            DedupConfig(rank=["aesthetics"]),
            "rank: the column `aesthetics` is written by no scorer.* there are: .*, width, .*, sharpness, .*, pixels$",
        ),
        (DedupConfig(rank=["clip_id"]), "rank: the column `clip_id` is of type string.* one number a clip"),
        (DedupConfig(rank=["clip_embedding"]), "rank: the column `clip_embedding` is of type list<.*halffloat>"),
        (
            DedupConfig(semantic=SemanticConfig(embedding="embed")),
            "semantic.embedding: the column `embed` is written by no scorer.* there are: .*clip_embedding",
        ),
        (
            DedupConfig(semantic=SemanticConfig(embedding="frame_hashes")),
            "semantic.embedding: the column `frame_hashes` is of type list<.*uint64>. It takes list<halffloat>, or of",
        ),
        (DedupConfig(semantic=SemanticConfig(embedding="sharpness")), "`sharpness` is of type float. It takes list<"),
        (
            DedupConfig(perceptual=PerceptualConfig(hashes="frame_hash_times_s")),
            "perceptual.hashes: the column `frame_hash_times_s` is of type list<.*float>. "
            "It takes list<uint64>; there are: frame_hashes$",
        ),
        (
            DedupConfig(perceptual=PerceptualConfig(hashes="num_frames")),
            "`num_frames` is of type int32. It takes list<",
        ),
        (
            DedupConfig(perceptual=PerceptualConfig(times="frame_hashes")),
            "perceptual.times: the column `frame_hashes` is of type list<.*uint64>. It takes list<float>, or of",
        ),
    ],
)
def test_columns_that_are_not_there_or_of_another_type_are_refused(config, words):
    with pytest.raises(ValueError, match=rf"^dedup\..*{words}"):
        dedup.check(config, SCORERS)
    dedup.check(ALL_KINDS, SCORERS)


def test_where_no_column_would_do_a_scorer_is_asked_for():
    with pytest.raises(ValueError, match="It takes list<uint64>; there are: none; add a scorer"):
        dedup.check(DedupConfig(perceptual=PerceptualConfig()), {})


def test_a_score_that_is_not_whole_is_refused(tmp_path):
    corpus, _ = put_all_kinds(tmp_path)
    corpus.path("scores/openclip", "part-00001").unlink()
    with pytest.raises(ValueError, match=r"openclip/part-00001.parquet is missing"):
        dedup.run(corpus, ALL_KINDS, SCORERS)
    assert not corpus.parts("scores/dedup")


def test_a_pass_that_was_killed_is_not_done(tmp_path):
    corpus, _ = put_all_kinds(tmp_path)
    dedup.run(corpus, ALL_KINDS, SCORERS)
    assert dedup.is_done(corpus)
    corpus.path("scores/dedup", "part-00001").unlink()
    assert not dedup.is_done(corpus)


def test_what_it_was_made_from_tells_settings_and_scorers():
    made = dedup.description(ALL_KINDS, SCORERS)
    others = [
        dedup.description(DedupConfig(perceptual=PerceptualConfig()), SCORERS),
        dedup.description(ALL_KINDS, SCORERS | {"fingerprint": Fingerprint(min_contrast=5)}),
        dedup.description(ALL_KINDS, SCORERS | {"openclip": OpenClip(model="other")}),
    ]
    assert all(other != made for other in others)


def test_a_scorer_that_it_does_not_read_is_none_of_its_business():
    exact = DedupConfig()
    wrong = {
        "wrong": Sum("w", "clip_embedding", weighs="such model"),
        "a": Sum("a", "b"),
        "b": Sum("b", "a"),
    }
    assert dedup.description(exact, SCORERS) == dedup.description(exact, {}) == dedup.description(exact, wrong)
    assert dedup.description(ALL_KINDS, SCORERS | wrong) == dedup.description(ALL_KINDS, SCORERS)
    with pytest.raises(ValueError, match="no such model"):
        dedup.description(DedupConfig(rank=["w"]), SCORERS | wrong)


def test_what_a_scorer_that_it_reads_was_made_from_is_told_too():
    chain = {"c": Sum("c", "b"), "b": Sum("b", "a"), "a": Sum("a", "num_frames")}
    made = dedup.description(DedupConfig(rank=["c"]), chain)
    assert isinstance(made, dict) and list(made["made_from"]) == ["scores/c"]
    assert dedup.description(DedupConfig(rank=["c"]), chain | {"a": Sum("a", "height")}) != made
