"""What runs inside the child process of `curation/child.py`: it takes functions, runs them, and tells of life."""

import ctypes
import os
import pickle
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

PR_SET_PDEATHSIG = 1  # of linux/prctl.h


class Life(ctypes.Structure):
    """Memory that a child and its parent share: the child counts up, the parent sees whether it goes on."""

    _fields_ = (("beats", ctypes.c_uint64), ("frames", ctypes.c_uint64))


_life = Life()  # in a child: the shared one


@dataclass(frozen=True)
class Answer:
    """What a call came to: a result, an exception with its traceback, or why neither can be told."""

    result: Any = None
    error: Exception | None = None
    traceback: str = ""
    trouble: str = ""
    """Why the function was not run, or its result did not pickle."""


def beat(frames: int = 0) -> None:
    """Tells whoever watches this process that it goes on: so many frames came, or 0: other work did not stand still."""
    _life.beats += 1
    _life.frames += frames


def serve(connection: Connection, life: Life, parent_pid: int) -> None:
    """Runs what arrives until the parent closes the connection; an empty message tells that it is ready."""
    global _life
    _life = life
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # poisonous files must not fill the disk with cores
    _die_with(parent_pid)
    connection.send_bytes(b"")
    while True:
        try:
            message = connection.recv_bytes()
        except EOFError:
            return
        connection.send_bytes(_pickled(_run(message)))


def _run(message: bytes) -> Answer:
    try:
        function, args = pickle.loads(message)
    except Exception as error:
        return Answer(trouble=f"{type(error).__name__}: {error}")
    return _call(function, args)


def _call(function: Callable[..., Any], args: tuple) -> Answer:
    try:
        return Answer(result=function(*args))
    except Exception as error:
        return Answer(error=_portable(error), traceback=traceback.format_exc())


def _portable(error: Exception) -> Exception:
    """The exception, or its words where it cannot be sent to the parent."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _pickled(answer: Answer) -> bytes:
    try:
        return pickle.dumps(answer)
    except Exception as error:
        return pickle.dumps(Answer(trouble=f"{type(error).__name__}: {error}"))


def _die_with(parent_pid: int) -> None:
    """A parent that is killed with -9 cannot end its child, so on Linux the kernel shall."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before it could be asked for
        os._exit(1)
