import numpy as np
import pyarrow as pa
import pytest
from handmade import put_clips, put_scores

from curation.duplicates.columns import content_keys, embeddings, fingerprints
from curation.joined import join
from curation.tables import Corpus

HALVES = pa.list_(pa.float16())


def halves(*rows):
    return pa.array([row and np.array(row).astype(np.float16) for row in rows], HALVES)


def put_embeddings(corpus, *parts):
    for number, rows in enumerate(parts):
        ids = put_clips(corpus, number, len(rows), first=100 * number)
        put_scores(corpus, number, "model", ids, embedding=halves(*rows))
    return join(corpus, ["model"])


def test_embeddings_come_in_order_of_rank(tmp_path):
    wide = put_embeddings(Corpus(tmp_path), [None, [1, 2]], [], [[3, 4], None, [5, 6]], [None])
    got = embeddings(wide, "embedding", np.array([4, 0, 2, 5, 1]))
    np.testing.assert_array_equal(got, np.array([[5, 6], [np.nan] * 2, [3, 4], [np.nan] * 2, [1, 2]], np.float16))
    assert got.dtype == np.float16
    assert len(embeddings(wide, "embedding", np.array([], np.int64))) == 0


def test_embeddings_of_two_models_are_refused(tmp_path):
    wide = put_embeddings(Corpus(tmp_path), [[1, 2]], [[3, 4, 5]])
    with pytest.raises(ValueError, match=r"part-00001.parquet: embeddings of length 3, elsewhere of 2"):
        embeddings(wide, "embedding", np.arange(2))


def test_embeddings_of_several_lengths_in_one_part_are_refused(tmp_path):
    wide = put_embeddings(Corpus(tmp_path), [[1, 2], [3], [4, 5, 6]])  # as many numbers as three of length 2
    with pytest.raises(ValueError, match=r"part-00000.parquet: embeddings of length \d, elsewhere of \d: "):
        embeddings(wide, "embedding", np.arange(3))


def put_hashes(corpus, words, times):
    ids = put_clips(corpus, 0, len(words))
    columns = {"words": pa.array(words, pa.list_(pa.uint64())), "times": pa.array(times, pa.list_(pa.float32()))}
    put_scores(corpus, 0, "hashes", ids, **columns)
    return join(corpus, ["hashes"])


def test_hashes_come_in_order_of_rank(tmp_path):
    wide = put_hashes(Corpus(tmp_path), [[1, 2**64 - 1, 3, 4], None, [], [5, 6]], [[0.0, 0.5], None, [], [7.0]])
    got = fingerprints(wide, "words", "times", np.array([3, 1, 0, 2]))
    assert got.hashes.tolist() == [[5, 6], [1, 2**64 - 1], [3, 4]]
    assert got.times_s.tolist() == [7.0, 0.0, 0.5] and got.starts.tolist() == [0, 1, 1, 3, 3]


def test_hashes_that_do_not_fit_their_times_are_refused(tmp_path):
    wide = put_hashes(Corpus(tmp_path), [[1, 2, 3, 4]], [[0.0]])
    with pytest.raises(ValueError, match=r"part-00000.parquet, row 0: 4 words in `words` for 1 times in `times`"):
        fingerprints(wide, "words", "times", np.arange(1))


def test_lists_that_fit_in_sum_but_not_one_by_one_are_refused(tmp_path):
    wide = put_hashes(Corpus(tmp_path), [[1, 2], [3, 4], [5, 6, 7, 8]], [[0.0], [0.0, 0.5], [0.0]])
    with pytest.raises(ValueError, match=r"row 1: 2 words in `words` for 2 times in `times`"):
        fingerprints(wide, "words", "times", np.arange(3))


def test_a_hole_in_the_hashes_or_times_of_a_clip_leaves_its_neighbours_whole(tmp_path, caplog):
    words = [[1, 2**64 - 1], [2**63 + 1, None], [5, 6], [7, 8], None, [9, 2**64 - 3], [None, None]]
    times = [[0.0], [1.0], [None], [float("nan")], [2.0], [3.0], [4.0]]
    got = fingerprints(put_hashes(Corpus(tmp_path), words, times), "words", "times", np.arange(7))
    assert got.hashes.tolist() == [[1, 2**64 - 1], [9, 2**64 - 3]] and got.hashes.dtype == np.uint64
    assert got.times_s.tolist() == [0.0, 3.0] and np.diff(got.starts).tolist() == [1, 0, 0, 0, 0, 1, 0]
    assert "`words` and `times`: 4 clips hold a null, NaN or infinity: they get no perceptual dup" in caplog.text


def test_an_embedding_that_is_not_finite_is_none_and_leaves_its_neighbours_whole(tmp_path, caplog):
    corpus = Corpus(tmp_path)
    ids = put_clips(corpus, 0, 6)
    rows = [[1.0, 2.0], [None, 3.0], None, [float("inf"), 0.0], [1e9, 1.0], [4.0, 5.0]]
    put_scores(corpus, 0, "model", ids, embedding=pa.array(rows, pa.list_(pa.float32())))
    got = embeddings(join(corpus, ["model"]), "embedding", np.arange(6))
    np.testing.assert_array_equal(got, np.array([[1, 2], *[[np.nan] * 2] * 4, [4, 5]], np.float16))
    assert "`embedding`: 3 clips hold a null, NaN or infinity: they get no semantic dup" in caplog.text


def test_nothing_is_said_where_all_is_whole(tmp_path, caplog):
    embeddings(put_embeddings(Corpus(tmp_path), [None, [1, 2]]), "embedding", np.arange(2))
    assert not caplog.text


def test_equal_frames_at_another_size_on_display_have_another_key(tmp_path):
    corpus = Corpus(tmp_path)
    hashes = ["aa", "aa", "aa", None, "aa", None]
    width, height = [640, 640, 360, 640, 640, 640], [360, 360, 640, 360, 480, 360]
    put_clips(corpus, 0, 3, content_hash=hashes[:3], width=width[:3], height=height[:3])
    put_clips(corpus, 1, 3, first=3, content_hash=hashes[3:], width=width[3:], height=height[3:])
    keys = content_keys(join(corpus, []), np.array([5, 2, 1, 0, 3, 4])).tolist()
    assert keys[0] == keys[4] == -1 and keys[2] == keys[3] and -1 not in keys[1:4] + keys[5:]
    assert len({keys[1], keys[2], keys[5]}) == 3
