import numpy as np

from curation.duplicates.stars import alone, stars_of_keys, stars_of_pairs


def pairs(number, *triples):
    better, worse, similarity = (np.array(column) for column in zip(*triples, strict=True))
    return stars_of_pairs(number, better, worse, similarity.astype(np.float32))


def test_a_chain_falls_apart_into_stars():
    # 0 - 1 - 2 - 3 in a row: 1 joins 0; 2 matches only 1, which is gone, so it stays, and 3 joins it.
    stars = pairs(5, (0, 1, 0.9), (1, 2, 0.9), (2, 3, 0.8))
    assert stars.best.tolist() == [0, 0, 2, 2, 4]
    assert stars.survivors().tolist() == [0, 2, 4]
    assert stars.ranks().tolist() == [0, 1, 0, 1, -1]


def test_a_clip_joins_the_best_of_those_it_matches():
    stars = pairs(4, (1, 3, 0.99), (0, 3, 0.9))
    assert stars.best.tolist() == [0, 1, 2, 0]
    np.testing.assert_array_equal(stars.similarity, np.array([np.nan, np.nan, np.nan, 0.9], np.float32))


def test_equal_keys_are_a_group_and_a_missing_key_is_none():
    stars = stars_of_keys(np.array([7, -1, 5, 7, -1, 5, 7]))
    assert stars.best.tolist() == [0, 1, 2, 0, 4, 2, 0]
    assert stars.ranks().tolist() == [0, -1, 0, 1, -1, 1, 2]
    assert stars.similarity[3] == 1 and np.isnan(stars.similarity[2])


def test_copies_move_along_with_the_best_of_their_group():
    first = stars_of_keys(np.array([1, 2, 3, 2, 3]))  # 1 and 3, 2 and 4; 0 stands alone
    stars = first.then(pairs(3, (0, 2, 0.7)))  # of the survivors 0, 1, 2 the last joins the first
    assert stars.best.tolist() == [0, 1, 0, 1, 0]
    np.testing.assert_array_equal(stars.similarity, np.array([np.nan, np.nan, 0.7, 1, 1], np.float32))


def test_nothing_is_no_group():
    assert pairs(3, (0, 1, 0.5)).then(alone(2)).best.tolist() == [0, 0, 2]
    assert alone(3).ranks().tolist() == [-1, -1, -1]
    assert alone(0).ranks().tolist() == []
