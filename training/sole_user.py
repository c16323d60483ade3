"""One process at a time works on a run, a latent set or a folder of videos."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from training.run import Run


@contextmanager
def sole_user(run: Run) -> Iterator[None]:
    """Holds a run alone; the processes that Lightning starts beside the first are let through.

    Raises:
        ValueError: it cannot be written to, or another process works on it.
    """
    if any(os.environ.get(name, "0") != "0" for name in ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")):
        yield
        return
    try:
        run.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = (run.folder.parent / f".{run.stage}.lock").open("w")
    except OSError as error:
        raise ValueError(f"{run.folder.parent} cannot be written to: {error.strerror}; name another: OUT=") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.register_at_fork(after_in_child=lock.close)  # else workers would hold it when this process is killed
        except OSError as error:
            raise ValueError(f"another process works on {run.folder}; wait for it") from error
        yield
