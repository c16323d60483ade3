"""The booth: blind, one match at a time, nothing counted twice, nothing forgotten."""

import os

import pytest
from ablated import put_ablation

from training.ablation.booth import Booth, Stale
from training.ablation.matches import find_matches, find_trials
from training.ablation.votes import read_votes


@pytest.fixture
def out(tmp_path):
    return put_ablation(tmp_path, ("raw", "full"), (0,))  # two matches


def booth(out, seed=0, by="ann"):
    return Booth(find_matches(find_trials(out)), out / "votes", by, seed)


def rows(out):
    return read_votes(out / "votes").to_pylist()


@pytest.mark.parametrize(("choice", "outcome"), [("a", "first"), ("b", "second"), ("tie", "tie")])
def test_a_vote_is_of_what_was_shown(out, choice, outcome):
    for seed in range(6):
        here = booth(out, seed)
        shown = here.show()
        left, right = (here.video(token) for token in (shown.a, shown.b))
        here.vote(shown.token, choice)
        row = rows(out)[-1]
        assert left.parents[2].name == f"{row['first']}-0" and right.parents[2].name == f"{row['second']}-0"
        assert (row["outcome"], row["by"], row["caption"]) == (outcome, "ann", shown.caption)
        assert [row["first_sha256"], row["second_sha256"]] == [f"of {row[side]}-0" for side in ("first", "second")]
        assert row["at"].tzinfo is not None
    assert {row["first"] for row in rows(out)} == {"raw", "full"}  # sides change


def test_a_match_stays_until_it_is_voted_on_and_counts_once(out):
    here = booth(out)
    shown = here.show()
    assert here.show() == shown
    here.vote(shown.token, "a")
    with pytest.raises(Stale):
        here.vote(shown.token, "b")
    with pytest.raises(Stale):
        here.video(shown.a)
    assert len(rows(out)) == 1
    other = here.show()
    assert other.caption != shown.caption and {other.a, other.b, other.token}.isdisjoint(
        (shown.a, shown.b, shown.token)
    )


def test_a_new_booth_goes_on_where_the_last_one_ended(out):
    first = booth(out)
    seen = first.show()
    assert booth(out).show().caption == seen.caption  # nobody voted: the same again
    first.vote(seen.token, "tie")
    second = booth(out, by="bob")
    shown = second.show()
    assert shown.caption == first.show().caption != seen.caption
    with pytest.raises(Stale):  # of a page that was open meanwhile
        second.vote(seen.token, "a")
    second.vote(shown.token, "a")
    assert [row["by"] for row in rows(out)] == ["ann", "bob"] and second.num_votes() == 2 and len(second.session) == 1


def test_undo_brings_the_same_match_and_sides_back(out):
    here = booth(out)
    here.undo()  # nothing to take back
    shown = here.show()
    left = here.video(shown.a)
    here.vote(shown.token, "a")
    here.undo()
    again = here.show()
    assert rows(out) == [] and again.caption == shown.caption and here.video(again.a) == left
    here.vote(again.token, "b")
    assert [row["outcome"] for row in rows(out)] == ["second"]


def test_what_is_skipped_or_gone_is_not_shown_again(out):
    here = booth(out)
    shown = here.show()
    with pytest.raises(Stale):
        here.skip("another")
    here.skip(shown.token)
    left = here.show()
    assert left.caption != shown.caption and here.num_matches == 1
    here.video(left.b).unlink()
    assert here.show() is None and here.num_matches == 0 and rows(out) == []


def test_a_vote_that_cannot_be_written_does_not_count(out, monkeypatch):
    here = booth(out)
    shown = here.show()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            here.vote(shown.token, "a")
    assert here.show() == shown and rows(out) == []
    with pytest.raises(KeyError):
        here.vote(shown.token, "c")
    here.vote(shown.token, "a")
    assert len(rows(out)) == 1
