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
    with pytest.raises(ValueError, match="2 words for each time"):
        fingerprints(wide, "words", "times", np.arange(1))


def test_equal_frames_at_another_size_on_display_have_another_key(tmp_path):
    corpus = Corpus(tmp_path)
    hashes = ["aa", "aa", "aa", None, None]
    width, height = [640, 640, 360, 640, 640], [360, 360, 640, 360, 360]
    put_clips(corpus, 0, 5, content_hash=hashes, width=width, height=height)
    keys = content_keys(join(corpus, []), np.array([4, 2, 1, 0, 3])).tolist()
    assert keys[0] == keys[4] == -1 and keys[2] == keys[3] != keys[1] != -1
