"""Votes: which of two arms made the better video of one caption; a folder of Parquet files, one a session."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from shards.schema import conform, field, from_rows
from shards.store import parquet_file, write_table

VOTES = pa.schema(
    [
        field("caption", pa.string(), "what both videos were to show"),
        field("video_seed", pa.int64(), "of the noise of both videos"),
        field("trial_seed", pa.int64(), "with which both arms were trained"),
        field("first", pa.string(), "arm of the first video; on the page the left one, A"),
        field("second", pa.string(), "arm of the second video"),
        field("outcome", pa.string(), "first | second | tie: which video is better"),
        field("by", pa.string(), "who voted: a person's name, or the protocol of an automatic judge"),
        field("at", pa.timestamp("ms", tz="UTC"), "when; null for an automatic judge"),
        field("first_sha256", pa.string(), "SHA-256 of the weights that made the first video; null for such a judge"),
        field("second_sha256", pa.string(), "of those that made the second one"),
    ]
)
OUTCOMES = ("first", "second", "tie")


class Round(NamedTuple):
    """What two videos that are compared have in common."""

    caption: str
    video_seed: int
    """Of the noise."""
    trial_seed: int
    """Of the training."""


@dataclass(frozen=True)
class Vote:
    """A row of `VOTES`.

    Raises:
        ValueError: the outcome is unknown, or an arm is compared with itself.
    """

    caption: str
    video_seed: int
    trial_seed: int
    first: str
    second: str
    outcome: str
    by: str
    at: datetime | None = None
    first_sha256: str | None = None
    second_sha256: str | None = None

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"an outcome is one of {', '.join(OUTCOMES)}, not {self.outcome!r}")
        if self.first == self.second:
            raise ValueError(f"arm {self.first} cannot be compared with itself")

    @property
    def round(self) -> Round:
        """What both videos have in common."""
        return Round(self.caption, self.video_seed, self.trial_seed)

    @property
    def sides(self) -> tuple[tuple[str, str | None], ...]:
        """Arms with their weights, in the order of the arms' names, whichever stood first."""
        return tuple(sorted([(self.first, self.first_sha256), (self.second, self.second_sha256)]))


def table_of(votes: Sequence[Vote]) -> pa.Table:
    """The votes as rows of `VOTES`."""
    return from_rows([asdict(vote) for vote in votes], VOTES)


def votes_of(table: pa.Table) -> list[Vote]:
    """Rows of `VOTES` as votes."""
    return [Vote(**row) for row in table.to_pylist()]


def read_votes(folder: Path) -> pa.Table:
    """All votes of a folder, session by session in the order in which they began; no row if there is no folder.

    Raises:
        ValueError: a file is damaged; names it.
    """
    tables = [VOTES.empty_table()]
    for path in sorted(folder.glob("[!.]*.parquet")):
        try:
            with parquet_file(path) as file:
                tables.append(conform(file.read(), VOTES))
        except (ValueError, OSError) as error:  # pyarrow's are both
            raise ValueError(f"{path} cannot be read ({error}): move it out of {folder}") from error
    return pa.concat_tables(tables)


def current(votes: pa.Table, weights: Mapping[tuple[str, int], str]) -> pa.Table:
    """Those of some votes that are on videos of these weights, and not of trainings that were replaced since.

    Args:
        votes: rows of `VOTES`.
        weights: SHA-256 by arm and trial seed.
    """
    counts = [
        all(weights.get((arm, vote.trial_seed), "") == sha256 for arm, sha256 in vote.sides) for vote in votes_of(votes)
    ]
    return votes.filter(pa.array(counts, pa.bool_()))


class Session:
    """Votes that one process takes, in a file of its own, so that several may write to one folder.

    The file is replaced at every vote: what interrupts that loses the vote in hand and no other.
    """

    def __init__(self, folder: Path) -> None:
        """Begins a session; its file appears with the first vote."""
        self.path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.parquet"
        self._votes: tuple[Vote, ...] = ()

    def __len__(self) -> int:
        """Votes of this session."""
        return len(self._votes)

    def add(self, vote: Vote) -> None:
        """Takes a vote; it counts when its file stands.

        Raises:
            OSError: it cannot be written; the votes are as before.
        """
        self._replace((*self._votes, vote))

    def undo(self) -> Vote:
        """Takes the last vote of this session back; raises as `add`, and IndexError where there is none."""
        last = self._votes[-1]
        self._replace(self._votes[:-1])
        return last

    def _replace(self, votes: tuple[Vote, ...]) -> None:
        write_table(self.path, table_of(votes), VOTES)
        self._votes = votes
