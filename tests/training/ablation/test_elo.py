"""Elo against its formula played one vote after the other, and what a ranking must and must not say."""

import itertools

import numpy as np
import pytest

from training.ablation import elo
from training.ablation.elo import expected, rate
from training.ablation.votes import Vote, table_of


def votes(results, caption="c", trial_seed=0):
    """Of triples (first, second, outcome)."""
    return [Vote(caption, 1, trial_seed, *triple, by="test") for triple in results]


def played(sequence):
    """Elo as everybody writes it."""
    ratings = {}
    for each in sequence:
        a, b = ratings.setdefault(each.first, 1000.0), ratings.setdefault(each.second, 1000.0)
        score = {"first": 1.0, "second": 0.0, "tie": 0.5}[each.outcome]
        chance = 1 / (1 + 10 ** ((b - a) / 400))
        ratings[each.first], ratings[each.second] = a + score - chance, b + (1 - score) - (1 - chance)
    return ratings


def by_arm(ratings):
    return {each.arm: each for each in ratings}


@pytest.fixture(scope="module")
def ladder():
    """Four arms of which the earlier one mostly wins: 12 captions, 3 trial seeds, every two arms."""
    rng, made = np.random.default_rng(0), []
    for caption, seed, (i, j) in itertools.product(range(12), range(3), itertools.combinations(range(4), 2)):
        pair = (f"arm{i}", f"arm{j}", "first") if rng.random() < 0.9 else (f"arm{j}", f"arm{i}", "first")
        made += votes([pair], f"caption {caption}", seed)
    return made


def test_expected_scores():
    assert expected(1000, 1000) == 0.5
    assert expected(1400, 1000) == pytest.approx(10 / 11) and expected(1000, 1400) == pytest.approx(1 / 11)
    assert expected(1200, 1000) + expected(1000, 1200) == pytest.approx(1)


def test_one_vote_moves_half_a_point():
    for outcome, moved in (("first", 0.5), ("second", -0.5), ("tie", 0.0)):
        found = by_arm(rate(table_of(votes([("a", "b", outcome)])), draws=3))
        assert (found["a"].rating, found["b"].rating) == (1000 + moved, 1000 - moved)


def test_all_orders_at_once_are_each_order_alone(ladder):
    games = elo._Games(table_of(ladder))
    orders = np.random.default_rng(1).permuted(np.tile(np.arange(len(ladder)), (5, 1)), axis=1)
    together = games.play(games._kinds[orders])
    for order, found in zip(orders, together, strict=True):
        alone = played([ladder[number] for number in order])
        assert found == pytest.approx([alone[arm] for arm in games.arms], abs=1e-9)
    assert np.ptp(together, axis=0).min() > 0.01  # the order does count


def test_a_draw_is_of_whole_captions_and_trial_seeds(ladder):
    games, rng = elo._Games(table_of(ladder)), np.random.default_rng(2)
    orders = games.drawn(rng, 50)
    assert orders.shape == (50, len(ladder))  # a full table gives draws of its own length
    some = ladder[:40] + ladder[50:]
    games = elo._Games(table_of(some))
    orders = games.drawn(rng, 50)
    lengths = (orders != games._void).sum(axis=1)
    assert len(set(lengths.tolist())) > 1 and lengths.max() == orders.shape[1]
    cut = orders[0, : lengths[0]]
    assert games.play(orders[:1]).tolist() == games.play(cut[None]).tolist()  # what fills it up changes nothing


def test_what_a_draw_is_made_of():
    """Each caption has votes of its own kind, so a draw tells which captions it drew and how often."""
    made = [each for i in range(4) for each in votes([(f"a{i}", f"b{i}", "first")] * 3, f"caption {i}")]
    games = elo._Games(table_of(made))
    for order in games.drawn(np.random.default_rng(0), 20):
        times = [int((order == games._kinds[3 * i]).sum()) for i in range(4)]
        assert sum(times) == 12 and all(each % 3 == 0 for each in times)


def test_a_total_order_is_found(ladder):
    found = rate(table_of(ladder), draws=200)
    assert [each.arm for each in found] == ["arm0", "arm1", "arm2", "arm3"]
    assert sum(each.rating for each in found) == pytest.approx(4000)
    assert all(each.low <= each.median <= each.high and each.num_votes == 108 for each in found)
    assert found[0].low > found[-1].high


def test_arms_that_win_as_often_have_intervals_that_overlap():
    rng, made = np.random.default_rng(0), []
    for number in range(40):
        made += votes([("a", "b", rng.choice(["first", "second"]))], f"caption {number}")
    found = by_arm(rate(table_of(made), draws=200))
    assert found["a"].low < found["b"].high and found["b"].low < found["a"].high


def test_only_ties_leave_all_where_they_began():
    made = [each for i in range(5) for each in votes([("a", "b", "tie"), ("c", "b", "tie")], f"caption {i}")]
    for each in rate(table_of(made), draws=20):
        assert (each.rating, each.median, each.low, each.high) == (1000, 1000, 1000, 1000)


def test_arms_without_votes_have_no_rating():
    found = rate(table_of(votes([("b", "a", "first")])), ["c", "a", "b"], draws=5)
    assert [each.arm for each in found] == ["b", "a", "c"]
    assert found[-1] == elo.Rating("c", 0, None, None, None, None)
    assert [each.rating for each in rate(table_of([]), ["y", "x"])] == [None, None] and rate(table_of([])) == []


def test_one_caption_gives_no_interval():
    made = table_of(votes([("a", "b", "first"), ("b", "a", "tie"), ("a", "b", "first")]))
    assert {(each.low, each.high) for each in rate(made, draws=20)} == {(None, None)}
    assert all(each.low < each.high for each in rate(made, draws=20, resample=False))  # over orders there is one


def test_orders_alone_leave_intervals_that_are_too_sure(ladder):
    table = table_of(ladder)
    orders, draws = (by_arm(rate(table, draws=200, resample=resample)) for resample in (False, True))
    for arm in ("arm0", "arm3"):
        assert orders[arm].rating == draws[arm].rating
        assert draws[arm].high - draws[arm].low > 3 * (orders[arm].high - orders[arm].low)


def test_a_seed_repeats_and_the_order_on_disk_does_not_count(ladder):
    table = table_of(ladder)
    assert rate(table, seed=3, draws=50) == rate(table, seed=3, draws=50) != rate(table, seed=4, draws=50)
    turned = by_arm(rate(table_of(ladder[::-1]), draws=1000))
    for arm, each in by_arm(rate(table, draws=1000)).items():
        assert turned[arm].rating == pytest.approx(each.rating, abs=0.1)
