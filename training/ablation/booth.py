"""A polling booth: shows a match without telling which arm made which video, and takes the vote."""

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from training.ablation.matches import Match, Queue
from training.ablation.votes import Session, Vote, read_votes

CHOICES = {"a": "first", "b": "second", "tie": "tie"}


class Stale(Exception):
    """What was asked for is over: it was voted on, or the booth was closed in between."""


@dataclass(frozen=True)
class Shown:
    """What a voter sees of a match; tokens are made anew for each, and tell nothing."""

    token: str
    caption: str
    a: str
    """Token of the left video."""
    b: str
    """Token of the right video."""


@dataclass(frozen=True)
class _Open:
    """The match that is being voted on."""

    match: Match
    shown: Shown
    sides: tuple[tuple[str, str], ...]
    """Left, right: arm and weights."""
    videos: dict[str, Path]
    """By token."""


class Booth:
    """Matches and the votes on them, one match at a time; any thread may call it.

    Args:
        matches: what can be compared.
        folder: of votes; those that are there count too.
        by: who votes.
        seed: of the order of matches, and of sides.
    """

    def __init__(self, matches: Sequence[Match], folder: Path, by: str, seed: int = 0) -> None:
        self.session = Session(folder)
        self._queue, self._folder, self._by = Queue(matches, seed), folder, by
        self._open: _Open | None = None
        self._lock = threading.RLock()

    @property
    def num_matches(self) -> int:
        """Matches that can be shown."""
        return len(self._queue.matches)

    def num_votes(self) -> int:
        """Votes of all sessions on these matches."""
        return self._queue.counted(read_votes(self._folder)).total()

    def show(self) -> Shown | None:
        """The match that is being voted on, the same until there is a vote; None where none is left."""
        with self._lock:
            if self._open is not None and not self._open.match.is_there:
                self._close(self._open)
            while self._open is None and (match := self._queue.next(read_votes(self._folder))):
                self._show(match)
            return self._open.shown if self._open else None

    def vote(self, token: str, choice: str) -> None:
        """Takes a vote.

        Args:
            token: of the match.
            choice: a | b | tie.

        Raises:
            Stale: the match is no longer shown, as after a second click.
            KeyError: there is no such choice.
            OSError: the vote cannot be written, and does not count.
        """
        with self._lock:
            outcome, now = CHOICES[choice], self._now(token)
            at = datetime.now(UTC).replace(microsecond=0)
            (first, first_sha256), (second, second_sha256) = now.sides
            vote = Vote(*now.match.round, first, second, outcome, self._by, at, first_sha256, second_sha256)
            self.session.add(vote)
            self._open = None

    def skip(self, token: str) -> None:
        """Leaves a match out for this session; raises `Stale` as `vote`."""
        with self._lock:
            self._close(self._now(token))

    def undo(self) -> None:
        """Takes the last vote of this session back and shows its match again; without a vote it does nothing."""
        with self._lock:
            if not len(self.session):
                return
            last = self.session.undo()
            key = (*last.round, *last.sides)
            self._open = None
            if match := next((match for match in self._queue.matches if match.key == key), None):
                self._show(match)

    def video(self, token: str) -> Path:
        """The file of a video that is shown; raises `Stale` where none is."""
        with self._lock:
            if self._open is None or token not in self._open.videos:
                raise Stale
            return self._open.videos[token]

    def _now(self, token: str) -> _Open:
        if self._open is None or token != self._open.shown.token:
            raise Stale
        return self._open

    def _close(self, opened: _Open) -> None:
        self._queue.drop(opened.match)
        self._open = None

    def _show(self, match: Match) -> None:
        if not match.is_there:
            self._queue.drop(match)
            return
        turned = -1 if self._queue.is_turned(match, read_votes(self._folder)) else 1
        shown = Shown(secrets.token_urlsafe(), match.round.caption, secrets.token_urlsafe(), secrets.token_urlsafe())
        videos = dict(zip((shown.a, shown.b), match.videos[::turned], strict=True))
        self._open = _Open(match, shown, match.sides[::turned], videos)
