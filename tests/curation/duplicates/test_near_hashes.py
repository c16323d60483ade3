import numpy as np

from curation.duplicates.near_hashes import BITS, differing_bits, near_pairs


def random_hashes(number, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, (number, 2), dtype=np.uint64)


def flipped(hashes, count, seed=1):
    """The same with so many other bits each."""
    rng, copies = np.random.default_rng(seed), hashes.copy()
    for row in range(len(hashes)):
        for bit in rng.choice(BITS, count, replace=False).tolist():
            copies[row, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return copies


def found(hashes, owners, max_bits):
    return {pair for left, right in near_pairs(hashes, owners, max_bits) for pair in zip(left, right, strict=True)}


def test_bits_are_counted():
    hashes = random_hashes(50)
    assert differing_bits(hashes, hashes).tolist() == [0] * 50
    assert differing_bits(hashes, flipped(hashes, 19)).tolist() == [19] * 50
    assert differing_bits(hashes, ~hashes).tolist() == [BITS] * 50


def test_planted_pairs_are_found_among_many_and_no_others():
    number, hashes = 2000, random_hashes(2000)
    pairs = found(np.concatenate([hashes, flipped(hashes, 6)]), np.arange(2 * number), max_bits=6)
    assert pairs <= {(k, k + number) for k in range(number)}
    assert len(pairs) >= 0.99 * number
    # One bit less allowed than was changed, and none is found.
    assert not found(np.concatenate([hashes, flipped(hashes, 6)]), np.arange(2 * number), max_bits=5)


def test_hashes_of_one_owner_are_no_pair_and_the_smaller_owner_comes_first():
    one = random_hashes(1)
    hashes = np.concatenate([one, one, one])
    assert found(hashes, np.array([5, 2, 5]), max_bits=0) == {(1, 0), (1, 2)}


def test_few_hashes():
    for number in range(3):
        assert not found(random_hashes(number), np.arange(number), max_bits=4)
