import gc
import os
import pickle
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection

import pytest

from curation.answer import HEAD
from curation.child import Child, ChildDied, ChildUnavailable
from curation.child_error import ChildRaised
from curation.child_side import beat
from shards.video import VideoError


class Awkward(Exception):
    """Pickles, but cannot be built from its pickle."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


def die_until(path):
    if not os.path.exists(path):
        open(path, "w").close()
        os._exit(9)
    return "alive"


def fail(kind):
    if kind == "gone":
        os.stat("/there/is/no/such")
    raise {"awkward": lambda: Awkward(1, 2), "key": lambda: KeyError("k"), "video": lambda: VideoError("no video")}[
        kind
    ]()


def unsendable():
    return lambda: None


def connection():
    """Of the child with its parent, in the hands of whoever has taken the child over."""
    return next(item for item in gc.get_objects() if isinstance(item, Connection))


class Harm:
    """Makes a file where its pickle is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def send_pickle(path, head):
    text = pickle.dumps(Harm(path))
    if head:
        os.write(connection().fileno(), HEAD.pack(len(text), 0) + text)
    else:
        connection().send_bytes(text)
    time.sleep(10)


def say(*answer):
    os.write(connection().fileno(), b"".join(answer))
    time.sleep(10)


def trickle():
    os.write(connection().fileno(), HEAD.pack(10**6, 0))
    while True:
        os.write(connection().fileno(), b" ")
        time.sleep(0.1)


def crash(signal_name):
    os.kill(os.getpid(), getattr(signal, signal_name))
    time.sleep(10)


def leak(megabytes):
    held = []
    while len(held) < megabytes:
        held.append(bytearray(os.urandom(1)) * 2**20)
    time.sleep(10)


def tick(times, pause_s):
    for _ in range(times):
        beat(frames=2)
        time.sleep(pause_s)
    return "done"


@pytest.fixture
def child():
    child = Child(30.0, attempts=2)
    yield child
    child.close()


@pytest.mark.parametrize(
    ("kind", "raised", "words"),
    [
        ("video", VideoError, "^no video$"),
        ("gone", FileNotFoundError, "No such file"),
        ("key", ChildRaised, "^KeyError: 'k'$"),
        ("awkward", ChildRaised, "^Awkward: 1 2$"),
    ],
)
def test_what_the_function_raises_is_told_with_its_traceback(child, kind, raised, words):
    with pytest.raises(raised, match=words) as caught:
        child.call(fail, kind)
    assert "in fail" in str(caught.value.__cause__)
    assert child.call(abs, -1) == 1


def test_trouble_of_the_pool_is_no_answer_of_the_function(child):
    with pytest.raises(ChildUnavailable, match="reader"):
        child.call(abs, lambda: "cannot be pickled")
    with pytest.raises(ChildUnavailable, match=r"did not run.*function cannot be sent"):
        child.call(unsendable)
    child.close()
    with pytest.raises(ChildUnavailable, match="closed"):
        child.call(abs, -1)


def test_a_death_is_tried_again_and_counted(child, tmp_path):
    assert child.call(die_until, str(tmp_path / "died")) == "alive"
    assert child.take_retried() == 1 and child.take_retried() == 0
    with pytest.raises(ChildDied, match="crashed"):
        child.call(os._exit, 9)


@pytest.mark.parametrize(
    ("limits", "call", "words"),
    [
        ({"wall_s": 0.5}, (tick, 100, 0.1), "hung: no end after 0.5 s"),
        ({"silence_s": 0.5}, (tick, 1, 9), "hung: no frame for 0.5 s"),
        ({"memory_bytes": 200 * 2**20}, (leak, 300), "out of memory: more than 200 MB"),
        ({}, (crash, "SIGSEGV"), "crashed: its reader was killed by SIGSEGV"),
        ({}, (crash, "SIGABRT"), "crashed: its reader was killed by SIGABRT"),
        ({}, (sys.exit, 3), "crashed: its reader died with exit code 3"),
        ({}, (sys.exit, 0), "crashed: its reader died with exit code 0"),
    ],
)
def test_a_death_is_told_in_words_and_the_next_call_goes_on(limits, call, words):
    child = Child(**{"wall_s": 30.0} | limits)
    assert child.call(abs, -1) == 1, "what is killed later runs already"
    with pytest.raises(ChildDied, match=f"^{words}$"):
        child.call(*call)
    assert child.call(abs, -1) == 1
    child.close()


def test_signs_of_life_keep_a_slow_call_alive_and_are_counted():
    child = Child(60.0, silence_s=30.0)
    assert child.call(tick, 0, 0.0) == "done", "imports are behind it"
    child._silence_s = 1.0
    assert child.call(tick, 8, 0.2) == "done" and child.frames == 16
    with pytest.raises(ChildDied):
        child.call(os._exit, 1)
    child._silence_s = 30.0
    assert child.call(tick, 2, 0.0) == "done" and child.frames == 20, "a new process goes on counting"
    child.close()


def test_memory_the_system_refuses_is_a_death(child):
    with pytest.raises(ChildDied, match="out of memory: the system gave no more"):
        child.call(bytearray, 2**60)
    assert child.take_retried() == 1


def test_an_answer_is_data_and_never_run(child, tmp_path):
    for head in (False, True):
        with pytest.raises(ChildDied, match=r"^crashed: its reader's answer is refused: "):
            child.call(send_pickle, str(tmp_path / "harm"), head)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([HEAD.pack(2**40, 0)], "too long: 1099511627776 bytes of text and 0 of video; 268435456 and "),
        ([HEAD.pack(2, 2**40)], "too long: 2 bytes of text and 1099511627776 of video; "),
        ([HEAD.pack(5, 0), b"[[[[["], "no JSON: "),
        ([HEAD.pack(200_000, 0), b"[" * 200_000], "no JSON: "),
        ([HEAD.pack(2, 0), b"[]"], ""),
        ([HEAD.pack(2, 0), b"{}"], ""),
        ([HEAD.pack(12, 0), b'{"error": 1}'], ""),
    ],
)
def test_an_answer_without_sense_is_a_death_with_its_reason(answer, words):
    child = Child(30.0)
    with pytest.raises(ChildDied, match=f"^crashed: its reader's answer is refused: {words}"):
        child.call(say, *answer)
    assert child.call(abs, -1) == 1
    child.close()


@pytest.mark.parametrize(("function", "args"), [(say, [HEAD.pack(9, 0), b'{"re']), (trickle, [])])
def test_an_answer_that_does_not_end_is_a_hang(function, args):
    child = Child(3.0)
    assert child.call(abs, -1) == 1
    with pytest.raises(ChildDied, match="hung: no end after 3 s"):
        child.call(function, *args)
    child.close()


def test_what_the_caller_cannot_read_is_no_answer():
    child = Child(30.0)
    assert child.call(abs, -1, read=str) == "1"
    with pytest.raises(ChildDied, match="answer is refused: invalid literal"):
        child.call(str.upper, "a", read=int)
    child.close()


class OutOfMemoryError(RuntimeError):
    """As torch.OutOfMemoryError."""


def run_out(kind):
    raise {"torch": OutOfMemoryError, "library": RuntimeError}[kind]("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")


@pytest.mark.parametrize("kind", ["torch", "library"])
def test_a_gpu_that_is_full_is_a_death_that_is_tried_again(child, kind):
    with pytest.raises(ChildDied, match="out of memory: the GPU gave no more"):
        child.call(run_out, kind)
    assert child.take_retried() == 1


def test_a_reader_that_died_between_two_calls_is_replaced(child):
    pid = child.call(os.getpid)
    os.kill(pid, signal.SIGKILL)
    assert child.call(os.getpid) != pid


SCRIPT = """
import os, time
from curation.child import Child


def work():
    print(os.getpid(), flush=True)
    time.sleep(60)


if __name__ == "__main__":
    Child(60.0).call(work)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_child_dies_with_a_parent_that_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        reader = int(parent.stdout.readline())
        assert is_running(reader)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_running(reader) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(reader)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"  # dead, only not yet buried
    except FileNotFoundError:
        return False
