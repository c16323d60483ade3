"""What is wrong with a packed set, and with which of its samples."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """What is wrong, and with which sample of a shard, as far as it is one."""

    reason: str
    key: str = ""
    member: str = ""
    """Extension of the member of the tar."""

    def __str__(self) -> str:
        named = f"sample {self.key}" + f", member {self.member}" * bool(self.member) if self.key else ""
        return f"{named}: {self.reason}" if named else self.reason


class Bad(Exception):
    """A problem was found."""

    def __init__(self, reason: str, key: str = "", member: str = "") -> None:
        super().__init__(reason)
        self.problem = Problem(reason, key, member)


@contextmanager
def broken_is_bad() -> Iterator[None]:
    """Whatever damaged data make their reader raise is a problem of theirs."""
    try:
        yield
    except (Bad, OSError, MemoryError):
        raise
    except Exception as error:
        raise Bad(f"cannot be read ({error})") from error


@contextmanager
def named(key: str, member: str) -> Iterator[None]:
    """Says which sample and member a problem is about."""
    try:
        with broken_is_bad():
            yield
    except Bad as bad:
        raise Bad(bad.problem.reason, key, bad.problem.member or member) from bad
