from random import Random

import pytest
from handmade import put_clips, put_dedup

from curation.joined import join
from curation.sides import _warn_of_giant, find_sides, is_val, relatives
from curation.tables import Corpus


def video_id(number):
    return f"{number:020x}"


@pytest.mark.parametrize("seed", range(20))
def test_equal_and_neighbouring_clips_are_related_and_no_others(tmp_path, seed):
    random, corpus = Random(seed), Corpus(tmp_path)
    groups, joined = {}, {name: {name} for name in map(video_id, range(30))}
    for part in range(5):
        videos = sorted(random.choices(list(joined), k=12))
        mine = [random.choice([None, *(f"g{k}" for k in range(12))]) for _ in videos]
        ids = put_clips(corpus, part, 12, first=12 * part, video_id=videos)
        put_dedup(corpus, part, ids, mine, [group and 0 for group in mine])
        for name, group in zip(videos, mine, strict=True):
            if group:
                other = groups.setdefault(group, name)
                union = joined[name] | joined[other]
                joined |= dict.fromkeys(union, union)
    kin = relatives(join(corpus, ["dedup"]))
    assert {name: kin.get(name, name) for name in joined} == {name: min(union) for name, union in joined.items()}


def test_a_giant_family_of_videos_is_told(caplog):
    _warn_of_giant("hq", ["a"] * 21 + [f"b{k}" for k in range(79)])
    assert not caplog.text, "too few clips to speak of shares"
    _warn_of_giant("hq", ["a"] * 20 + [f"b{k}" for k in range(81)])
    assert not caplog.text
    _warn_of_giant("hq", ["a"] * 30 + [f"b{k}" for k in range(81)])
    assert "30 of its 111 clips" in caplog.text


def test_the_share_for_validation_is_kept_and_grows_by_adding():
    names = [video_id(n) for n in range(4000)]
    share = {s: {name for name in names if is_val(name, s)} for s in (0.0, 0.02, 0.1, 1.0)}
    assert not share[0.0] and share[1.0] == set(names) and share[0.02] < share[0.1]
    assert abs(len(share[0.02]) / 4000 - 0.02) < 0.007 and abs(len(share[0.1]) / 4000 - 0.1) < 0.015


def corpus_of(root, *pairs):
    """Clips, each of the video of that number and in the group of that name, one a part; as one wide table."""
    corpus = Corpus(root)
    for part, (number, group) in enumerate(pairs):
        ids = put_clips(corpus, part, 1, first=part, video_id=[video_id(number)])
        put_dedup(corpus, part, ids, [group], [group and 0])
    return join(corpus, ["dedup"])


def sides(wide, numbers, standing, share=0.0):
    found = find_sides(wide, "hq", [*map(video_id, numbers)], {video_id(n): s for n, s in standing.items()}, share)
    return {int(name, 16): side for name, side in found.items()}


def test_later_videos_go_where_their_duplicates_stand_whatever_their_hash_says(tmp_path):
    wide = corpus_of(tmp_path, (1, "a"), (2, "b"), (3, "a"), (4, "b"), (5, "c"), (4, "c"), (6, None), (1, None))
    standing = {1: "train", 2: "val"}
    assert sides(wide, [1, 3, 4, 5, 6], standing) == {1: "train", 3: "train", 4: "val", 5: "val", 6: "train"}
    assert sides(wide, [1, 3, 4, 5, 6], standing, 1.0) == {1: "train", 3: "train", 4: "val", 5: "val", 6: "val"}


def test_what_has_duplicates_on_both_sides_has_none_and_joins_no_others(tmp_path):
    wide = corpus_of(tmp_path, (1, "a"), (2, "b"), (3, "a"), (3, "b"), (4, "a"), (5, "d"), (3, "d"), (2, None))
    standing = {1: "train", 2: "val"}
    assert sides(wide, [2, 3, 4, 5], standing, 1.0) == {2: "val", 3: None, 4: "train", 5: "val"}


def test_a_chain_of_new_videos_between_both_sides_has_none(tmp_path):
    wide = corpus_of(tmp_path, (1, "a"), (2, "b"), (3, "a"), (3, "c"), (4, "c"), (4, "b"), (5, "c"), (6, "a"))
    standing = {1: "train", 2: "val"}
    assert sides(wide, [3, 4, 5], standing) == dict.fromkeys([3, 4, 5])
    assert sides(wide, [6], standing, 1.0) == {6: None}, "another set may keep the others"


def test_a_standing_video_whose_duplicates_now_stand_on_the_other_side_grows_no_more(tmp_path):
    wide = corpus_of(tmp_path, (1, "a"), (2, "a"), (3, "a"))
    assert sides(wide, [1, 2, 3], {1: "train", 2: "val"}) == {1: None, 2: None, 3: None}


def grown(wide, videos, kept, standing):
    """What stands in all sets once each has taken what it keeps of these videos, one set after the other."""
    for of_set in kept:
        found = find_sides(wide, "hq", [name for name in videos if name in of_set], standing, 0.4)
        standing = standing | {name: side for name, side in found.items() if side}
    return standing


@pytest.mark.parametrize("seed", range(30))
def test_all_sets_agree_in_whatever_order_they_grow(tmp_path, seed):
    random = Random(seed)
    pairs = [(n, random.choice([None, *(f"g{k}" for k in range(14))])) for n in range(24) for _ in range(2)]
    sets = [set(random.sample([video_id(n) for n in range(24)], 12)) for _ in range(3)]
    told: list[dict[str, str]] = [{}, {}]
    for step, end in enumerate((24, 48)):  # the second half is new footage, which joins what stands
        wide = corpus_of(tmp_path / str(step), *pairs[:end])
        videos = [video_id(n) for n in range(end // 2)]
        told = [grown(wide, videos, order, told[k]) for k, order in enumerate((sets, sets[::-1]))]
        assert told[0] == told[1] and told[0], "and so a set of these may also come later"
        for group in {group for _, group in pairs[:end]} - {None}:
            assert len({told[0].get(video_id(n)) for n, of in pairs[:end] if of == group} - {None}) < 2


def test_new_relatives_go_together(tmp_path):
    wide = corpus_of(tmp_path, (1, None), *((n, f"g{n // 2}") for n in range(2, 60)))
    found = sides(wide, range(2, 60), {1: "train"}, 0.5)
    assert all(found[n] == found[n + 1] for n in range(2, 60, 2)) and set(found.values()) == {"train", "val"}
