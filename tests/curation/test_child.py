import os
import signal
import subprocess
import sys
import time

import pytest

from curation.child import Child, ChildDied, ChildUnavailable


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
    child.close()
    with pytest.raises(ChildUnavailable, match="not active"):
        child.call(abs, -1)


def test_a_death_is_tried_again_and_counted(child, tmp_path):
    assert child.call(die_until, str(tmp_path / "died")) == "alive"
    assert child.take_retried() == 1 and child.take_retried() == 0
    with pytest.raises(ChildDied, match="crashed"):
        child.call(os._exit, 9)


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
