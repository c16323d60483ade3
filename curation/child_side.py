"""What runs inside the child process of `curation/child.py`: it takes functions, runs them, and tells of life."""

import ctypes
import os
import pickle
import resource
import signal
import sys
from io import FileIO
from multiprocessing.connection import Connection

from curation.answer import packed
from curation.child_error import told

PR_SET_PDEATHSIG = 1  # of linux/prctl.h
READY = b"\0"


class Life(ctypes.Structure):
    """Memory that a child and its parent share: the child counts up, the parent sees whether it goes on."""

    _fields_ = (("beats", ctypes.c_uint64), ("frames", ctypes.c_uint64))


_life = Life()  # in a child: the shared one


def beat(frames: int = 0) -> None:
    """Tells whoever watches this process that it goes on: so many frames came, or 0: other work did not stand still."""
    _life.beats += 1
    _life.frames += frames


def serve(connection: Connection, life: Life, parent_pid: int) -> None:
    """Runs what arrives until the parent closes the connection; READY tells that it can begin."""
    global _life
    _life = life
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # poisonous files must not fill the disk with cores
    die_with(parent_pid)
    with open(connection.fileno(), "wb", closefd=False, buffering=0) as answers:
        _write(answers, READY)
        while True:
            try:
                message = connection.recv_bytes()
            except EOFError:
                return
            _write(answers, _run(message))


def _write(answers: FileIO, message: bytes) -> None:
    rest = memoryview(message)
    while rest:
        rest = rest[answers.write(rest) or 0 :]


def _run(message: bytes) -> bytes:
    """The answer, packed: `result`, or `error`, or `trouble`: why there is neither."""
    try:
        function, args = pickle.loads(message)
    except Exception as error:
        return packed({"trouble": f"{type(error).__name__}: {error}"})
    try:
        result = function(*args)
    except Exception as error:
        return packed({"error": told(error)})
    try:
        return packed({"result": result})
    except MemoryError as error:
        return packed({"error": told(error)})
    except (TypeError, ValueError) as error:
        return packed({"trouble": str(error)})


def die_with(parent_pid: int) -> None:
    """A parent that is killed with -9 cannot end its child, so on Linux the kernel shall."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before it could be asked for
        os._exit(1)
