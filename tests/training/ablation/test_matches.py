"""What can be compared, and what comes next."""

from collections import Counter
from dataclasses import replace

import pytest
from ablated import CAPTIONS, put_ablation, put_trial

from training.ablation.matches import SAMPLES, Queue, counted, find_matches, find_trials
from training.ablation.votes import Round, Vote, table_of
from training.samples import SampleFolder


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return put_ablation(tmp_path_factory.mktemp("ablation"))


def vote(match, turned=False):
    (first, one), (second, two) = match.sides[::-1] if turned else match.sides
    return Vote(*match.round, first, second, "tie", "test", first_sha256=one, second_sha256=two)


def test_trials_are_found_by_their_names(out, tmp_path):
    found = find_trials(out)
    assert {arm: sorted(seeds) for arm, seeds in found.items()} == {"full": [0, 1], "motion_25": [0, 1], "raw": [0, 1]}
    assert found["raw"][1] == SampleFolder(out / "raw-1" / SAMPLES)
    assert list(find_trials(out, ["raw", "full"])) == ["full", "raw"]
    put_trial(tmp_path, "one-with-dashes", 12)
    for name in ("votes", "raw-x", "raw-3", "loose"):
        (tmp_path / name / SAMPLES).mkdir(parents=True)
    with pytest.raises(
        ValueError, match=r"needs <arm>-<seed>/evaluation/samples of two arms; there are: one-with-dashes"
    ):
        find_trials(tmp_path)
    with pytest.raises(ValueError, match="has no videos of arm text; there are: full, motion_25, raw"):
        find_trials(out, ["raw", "text"])
    with pytest.raises(ValueError, match="two arms; there are: none"):
        find_trials(tmp_path / "nothing")


def test_every_two_arms_meet_in_every_round(out):
    matches = find_matches(find_trials(out))
    assert len(matches) == 3 * 2 * 2 == len({match.key for match in matches})
    for match in matches:
        assert match.arms == tuple(sorted(match.arms)) and match.round.video_seed == CAPTIONS.index(match.round.caption)
        expected = [
            out / f"{arm}-{match.round.trial_seed}/evaluation/samples/v{match.round.video_seed}.mp4"
            for arm in match.arms
        ]
        assert list(match.videos) == expected and match.is_there


@pytest.mark.parametrize(
    "other", [{"sampler": "x"}, {"num_frames": 8}, {"weights": "raw.safetensors"}, {"images_sha256": ["0"]}]
)
def test_videos_that_were_sampled_otherwise_are_not_compared(tmp_path, other):
    put_trial(tmp_path, "raw", 0)
    put_trial(tmp_path, "full", 0, **other)
    with pytest.raises(
        ValueError, match=r"no two videos of full, raw agree in trial seed, caption,.*sample all arms alike"
    ):
        find_matches(find_trials(tmp_path))


def test_seeds_and_videos_that_one_arm_lacks_are_left_out(tmp_path):
    put_ablation(tmp_path, ("raw", "full"))
    put_trial(tmp_path, "raw", 2)
    (tmp_path / "full-1/evaluation/samples/v0.mp4").unlink()
    rounds = {match.round for match in find_matches(find_trials(tmp_path))}
    assert rounds == {Round(CAPTIONS[0], 0, 0), Round(CAPTIONS[1], 1, 0), Round(CAPTIONS[1], 1, 1)}


def test_fewest_votes_come_first(out):
    queue, given = Queue(find_matches(find_trials(out)), 0), []
    for number in range(24):
        match = queue.next(table_of(given))
        given.append(vote(match, turned=bool(number % 2)))
        of_arms = Counter(frozenset((each.first, each.second)) for each in given)
        assert max(of_arms.values()) - min(of_arms.values()) <= 1 or len(of_arms) < 3
        if number == 11:
            assert set(counted(table_of(given)).values()) == {1} and len(counted(table_of(given))) == 12
    assert set(counted(table_of(given)).values()) == {2}


def test_votes_on_other_weights_are_of_another_match(out):
    match = find_matches(find_trials(out))[0]
    assert counted(table_of([vote(match)]))[match.key] == 1
    assert counted(table_of([replace(vote(match), second_sha256="of a training before")]))[match.key] == 0


def test_votes_on_other_weights_do_not_hold_their_arms_back(out):
    matches = find_matches(find_trials(out))
    first = matches[0]
    old = [replace(vote(first), first_sha256="of a training before")] * 40
    queue, given = Queue(matches, 0), list(old)
    for _ in matches:
        given.append(vote(queue.next(table_of(given))))
    assert {(*each.round, *each.sides) for each in given[40:]} == {match.key for match in matches}
    assert queue.counted(table_of(given)).total() == len(matches)


def test_the_order_is_a_matter_of_the_seed(out):
    matches = find_matches(find_trials(out))
    orders = [[match.key for match in Queue(order, seed).matches] for order, seed in
              ((matches, 0), (matches[::-1], 0), (matches, 1))]  # fmt: skip
    assert orders[0] == orders[1] != orders[2] and sorted(orders[0]) == sorted(orders[2])


def test_sides_are_even_and_repeat(out):
    matches = find_matches(find_trials(out))
    empty = table_of([])
    turned = [Queue(matches, seed).is_turned(match, empty) for seed in range(20) for match in matches]
    assert 0.4 < sum(turned) / len(turned) < 0.6
    assert turned == [Queue(matches, seed).is_turned(match, empty) for seed in range(20) for match in matches]
    queue, match = Queue(matches, 0), matches[0]
    assert len({queue.is_turned(match, table_of([vote(match)] * count)) for count in range(8)}) == 2


def test_what_is_dropped_does_not_come_again(out):
    queue, votes = Queue(find_matches(find_trials(out)), 0), table_of([])
    seen = []
    while match := queue.next(votes):
        seen.append(match)
        queue.drop(match)
    assert len(seen) == len(set(seen)) == 12
