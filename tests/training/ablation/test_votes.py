"""Votes on disk: what is added stays, what is interrupted costs one vote, and several sessions share a folder."""

import os
from datetime import UTC, datetime

import pytest

from training.ablation.votes import OUTCOMES, VOTES, Round, Session, Vote, current, read_votes, table_of


def vote(caption="a cat", outcome="first", **other):
    told = {"video_seed": 1, "trial_seed": 0, "first": "raw", "second": "full", "by": "ann"}
    return Vote(caption, outcome=outcome, **told | other)


def captions(folder):
    return read_votes(folder).column("caption").to_pylist()


def test_every_column_is_explained():
    assert all(field.metadata[b"doc"] for field in VOTES)


def test_votes_are_kept_as_they_were_given(tmp_path):
    session = Session(tmp_path / "votes")
    assert read_votes(tmp_path / "votes").num_rows == 0 and not session.path.parent.exists()
    given = [vote(outcome=each, at=datetime(2026, 1, 2, 3, 4, 5, 6000, UTC)) for each in OUTCOMES] + [vote("a dog")]
    for number, each in enumerate(given, start=1):
        session.add(each)
        assert len(session) == number
        assert read_votes(tmp_path / "votes").equals(table_of(given[:number]), check_metadata=True)
    assert [Vote(**row) for row in read_votes(tmp_path / "votes").to_pylist()] == given
    assert given[0].round == Round("a cat", 1, 0)


@pytest.mark.parametrize("wrong", [{"outcome": "a"}, {"first": "full"}])
def test_a_vote_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"an outcome is one of|cannot be compared with itself"):
        vote(**wrong)


def test_the_last_vote_can_be_taken_back(tmp_path):
    session = Session(tmp_path)
    session.add(vote("a"))
    session.add(vote("b"))
    assert session.undo() == vote("b") and captions(tmp_path) == ["a"]
    assert session.undo() == vote("a") and captions(tmp_path) == [] and len(session) == 0
    with pytest.raises(IndexError):
        session.undo()
    session.add(vote("c"))
    assert captions(tmp_path) == ["c"]


def test_sessions_at_the_same_time_do_not_touch_each_other(tmp_path):
    one, other = Session(tmp_path), Session(tmp_path)
    for each in "abc":
        one.add(vote(each))
        other.add(vote(each.upper()))
    other.undo()
    assert one.path != other.path and sorted(captions(tmp_path)) == [*"ABabc"]


def test_an_interrupted_write_costs_the_vote_in_hand(tmp_path, monkeypatch):
    session = Session(tmp_path)
    session.add(vote("a"))

    def die(source, target):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", die)
        with pytest.raises(OSError, match="full"):
            session.add(vote("b"))
        with pytest.raises(OSError, match="full"):
            session.undo()
    assert captions(tmp_path) == ["a"] and len(session) == 1
    session.add(vote("c"))
    assert captions(tmp_path) == ["a", "c"]
    (tmp_path / f".{session.path.name}.killed.parquet").write_bytes(b"half")  # not even by that name
    assert captions(tmp_path) == ["a", "c"]


def test_a_damaged_file_is_named(tmp_path):
    Session(tmp_path).add(vote("a"))
    (tmp_path / "x.parquet").write_bytes(b"half")
    with pytest.raises(ValueError, match=r"x\.parquet cannot be read .*: move it out of"):
        read_votes(tmp_path)


def test_votes_on_weights_that_were_replaced_do_not_count():
    weights = {("raw", 0): "r0", ("full", 0): "f0", ("raw", 1): "r1"}
    here = {"first_sha256": "r0", "second_sha256": "f0"}
    turned = {"first": "full", "second": "raw", "first_sha256": "f0", "second_sha256": "r0"}
    older, unknown = {**here, "second_sha256": "before"}, {"first": "raw", "second": "motion", "first_sha256": "r0"}
    given = [vote("a", **here), vote("b", **older), vote("c", **turned), vote("d", trial_seed=1, **here)]
    table = current(table_of([*given, vote("e", **unknown)]), weights)
    assert table.column("caption").to_pylist() == ["a", "c"] and table.schema.equals(VOTES)
