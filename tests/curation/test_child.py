import os
import signal
import subprocess
import sys
import time

import pytest

from curation.child import Child, ChildDied, ChildUnavailable
from curation.child_side import beat


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
    raise {"awkward": lambda: Awkward(1, 2), "key": lambda: KeyError("k"), "runtime": lambda: RuntimeError("mine")}[
        kind
    ]()


def unpicklable():
    return lambda: None


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
    [("key", KeyError, "k"), ("runtime", RuntimeError, "mine"), ("awkward", RuntimeError, "Awkward: 1 2")],
)
def test_what_the_function_raises_comes_as_it_is_with_its_traceback(child, kind, raised, words):
    with pytest.raises(raised, match=words) as caught:
        child.call(fail, kind)
    assert not isinstance(caught.value, ChildUnavailable)
    assert "in fail" in str(caught.value.__cause__)
    assert child.call(abs, -1) == 1


def test_trouble_of_the_pool_is_no_answer_of_the_function(child):
    with pytest.raises(ChildUnavailable, match="reader"):
        child.call(abs, lambda: "cannot be pickled")
    with pytest.raises(ChildUnavailable, match=r"did not run.*pickle"):
        child.call(unpicklable)
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
    child = Child(30.0, silence_s=1.0)
    assert child.call(tick, 8, 0.2) == "done" and child.frames == 16
    with pytest.raises(ChildDied):
        child.call(os._exit, 1)
    assert child.call(tick, 2, 0.0) == "done" and child.frames == 20, "a new process goes on counting"
    child.close()


def test_memory_the_system_refuses_is_a_death(child):
    with pytest.raises(ChildDied, match="out of memory: the system gave no more"):
        child.call(bytearray, 2**60)
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
