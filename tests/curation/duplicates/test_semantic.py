import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from curation.duplicates.config import SemanticConfig
from curation.duplicates.semantic import CHUNK, _known, semantic_stars


def points(number, width=64, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((number, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def near(vectors, cosine, seed=1):
    """Others at this cosine."""
    vectors = vectors.astype(np.float64)
    aside = np.random.default_rng(seed).standard_normal(vectors.shape)
    aside -= (aside * vectors).sum(1, keepdims=True) / (vectors**2).sum(1, keepdims=True) * vectors
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    return (cosine * vectors + np.sqrt(1 - cosine**2) * aside).astype(np.float16)


def test_epsilon_is_the_border():
    vectors = np.concatenate([points(3), near(points(3), 0.96)])
    assert semantic_stars(vectors, SemanticConfig(epsilon=0.05)).best.tolist() == [0, 1, 2, 0, 1, 2]
    assert semantic_stars(vectors, SemanticConfig(epsilon=0.03)).best.tolist() == [0, 1, 2, 3, 4, 5]


def test_similarity_is_the_cosine_whatever_the_length():
    vectors = np.concatenate([points(1), 3 * near(points(1), 0.98)])
    assert semantic_stars(vectors, SemanticConfig(epsilon=0.05)).similarity[1] == pytest.approx(0.98, abs=1e-3)


def test_clips_without_an_embedding_stand_alone():
    vectors = np.concatenate([points(2), points(2)])
    vectors[[0, 3]] = np.nan
    assert semantic_stars(vectors, SemanticConfig()).best.tolist() == [0, 1, 2, 3]
    assert semantic_stars(np.empty((3, 0), np.float16), SemanticConfig()).best.tolist() == [0, 1, 2]
    assert semantic_stars(np.zeros((3, 4), np.float16), SemanticConfig()).best.tolist() == [0, 1, 2]


def test_an_embedding_with_a_number_that_is_not_finite_matches_nothing_and_harms_no_other():
    vectors = np.concatenate([points(300), points(300)])
    vectors[0, 3], vectors[301, 5], vectors[302, 7] = np.nan, np.inf, -np.inf
    stars = semantic_stars(vectors, SemanticConfig(cluster_size=64))
    expected = np.concatenate([np.arange(300), np.arange(300)])
    expected[[300, 301, 302]] = [300, 301, 302]
    assert stars.best.tolist() == expected.tolist()


def test_which_clips_have_an_embedding_is_told_without_a_copy_of_all():
    vectors = np.ones((100_000, 64), np.float16)  # 12.8 MB
    vectors[CHUNK] = 0
    tracemalloc.start()
    assert np.array_equal(_known(vectors), np.delete(np.arange(100_000), CHUNK))
    assert tracemalloc.get_traced_memory()[1] < vectors.nbytes / 4
    tracemalloc.stop()


def test_a_chain_does_not_become_one_group():
    angles = 0.1 * np.arange(8)  # neighbours are at a cosine of 0.995, the ends at 0.76
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float16)
    assert semantic_stars(vectors, SemanticConfig(epsilon=0.01)).best.tolist() == [0, 0, 2, 2, 4, 4, 6, 6]


def test_planted_duplicates_are_found_in_many_small_clusters():
    topics = points(40, seed=5).repeat(50, axis=0)
    originals = near(topics, 0.8)
    vectors = np.concatenate([originals, near(originals, 0.99, seed=2)])
    stars = semantic_stars(vectors, SemanticConfig(epsilon=0.02, cluster_size=64))
    truth = np.concatenate([np.arange(2000), np.arange(2000)])
    assert np.mean(stars.best[2000:] == truth[2000:]) >= 0.97
    assert not np.any(stars.best[:2000] != truth[:2000])


def test_clips_that_k_means_cannot_tell_apart():
    vectors = np.concatenate([points(1)] * 700 + [points(1, seed=9)])
    stars = semantic_stars(vectors, SemanticConfig(cluster_size=50))
    assert stars.best.tolist() == [0] * 700 + [700]


def test_equal_input_gives_equal_groups_whatever_the_threads():
    script = (
        "import sys, numpy as np; sys.path.insert(0, 'tests/curation/duplicates')\n"
        "from test_semantic import near, points\n"
        "from curation.duplicates.config import SemanticConfig\n"
        "from curation.duplicates.semantic import semantic_stars\n"
        "vectors = np.concatenate([points(3000), near(points(3000), 0.99)])\n"
        "stars = semantic_stars(vectors, SemanticConfig(epsilon=0.02, cluster_size=100))\n"
        "import hashlib; print(hashlib.sha256(stars.best.tobytes() + stars.similarity.tobytes()).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"OMP_NUM_THREADS": threads, "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(said) == 1
