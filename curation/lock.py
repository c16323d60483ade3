"""One run at a time in a corpus."""

import fcntl
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from upath import UPath

from shards.places import Place, reaching
from shards.store import read_json

LOCK = ".lock"
SPARE_BYTES = 2**20


def sole_user(root: Place) -> AbstractContextManager[None]:
    """Holds the corpus alone, once it is known that it can be written to.

    On a disk the system lets go of the lock when this process ends, however it ends. At an address the lock is an
    object that is only put where there is none; a dead run's is removed on its own machine, and named elsewhere.

    Raises:
        ValueError: `root` cannot be written to, or another run holds the corpus.
    """
    return _on_disk(root) if isinstance(root, Path) else _at_address(root)


@contextmanager
def _on_disk(root: Path) -> Iterator[None]:
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root) as probe:
            probe.write(b"\0" * SPARE_BYTES)
            probe.flush()
        lock = (root / LOCK).open("w")
    except OSError as error:
        raise ValueError(
            f"OUT={root} cannot be written to: {error.strerror}. Free space there or name another"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(f"another run works in OUT={root}; wait for it, or name another folder") from error
        yield


@contextmanager
def _at_address(root: UPath) -> Iterator[None]:
    lock = root / LOCK
    try:
        with reaching(root):
            while not _put_first(lock):
                _remove_dead(lock)
    except (OSError, NotImplementedError) as error:
        told = getattr(error, "strerror", None) or error
        raise ValueError(f"OUT={root} cannot be written to: {told}") from error
    try:
        yield
    finally:
        with reaching(root):
            lock.unlink(missing_ok=True)


def _put_first(lock: UPath) -> bool:
    """Whether there was no lock, so that this one stands: the server puts it on that condition alone."""
    mine = json.dumps({"host": socket.gethostname(), "process": os.getpid()})
    try:
        lock.fs.pipe_file(lock.path, mine.encode(), mode="create")
    except FileExistsError:
        return False
    return True


def _remove_dead(lock: UPath) -> None:
    """Removes the lock of a run that is known to be dead; raises ValueError where it may live.

    One process of the machine at a time, and no other machine at all: else one could see the dead run's lock, and then
    remove that of another which was faster.
    """
    turn = os.open("/", os.O_RDONLY)  # a folder that all of them share, whatever their TMPDIR
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):  # its owner has ended meanwhile
            _refuse_living(lock)
            lock.unlink()
    finally:
        os.close(turn)


def _refuse_living(lock: UPath) -> None:
    owner = read_json(lock)
    if owner["host"] == socket.gethostname() and not _is_alive(owner["process"]):
        return
    raise ValueError(
        f"another run works in OUT={lock.parent} (process {owner['process']} on {owner['host']}); wait for it. If it "
        f"is dead, remove {lock}"
    )


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
