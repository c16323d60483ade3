import json
import os
import socket
from contextlib import suppress
from threading import Barrier, BrokenBarrierError, Event, Thread
from time import sleep

import pytest

from curation import lock
from curation.lock import sole_user

NOBODY = 2**22 + 1  # above what Linux gives out


def test_a_disk_has_one_user_at_a_time(tmp_path):
    with (
        sole_user(tmp_path / "new"),
        pytest.raises(ValueError, match="another run works in"),
        sole_user(tmp_path / "new"),
    ):
        pass
    with sole_user(tmp_path / "new"):
        pass


def test_an_address_has_one_user_at_a_time(bucket):
    told = f"another run works in .*process {os.getpid()} on"
    with sole_user(bucket), pytest.raises(ValueError, match=told), sole_user(bucket):
        pass
    assert not (bucket / ".lock").exists()
    with sole_user(bucket):
        assert (bucket / ".lock").exists()


@pytest.mark.parametrize(("host", "taken"), [(socket.gethostname(), False), ("elsewhere", True)])
def test_a_dead_run_is_known_on_its_own_machine_alone(bucket, host, taken):
    (bucket / ".lock").write_text(json.dumps({"host": host, "process": NOBODY}))
    if taken:
        with pytest.raises(ValueError, match=r"If it is dead, remove s3://.*/folder/\.lock"), sole_user(bucket):
            pass
    else:
        with sole_user(bucket):
            pass
    assert (bucket / ".lock").exists() is taken


def test_of_two_runs_that_find_a_dead_one_a_single_one_goes_on(bucket, monkeypatch):
    (bucket / ".lock").write_text(json.dumps({"host": socket.gethostname(), "process": NOBODY}))
    see, both_saw, held, taken = lock._refuse_living, Barrier(2), [], Event()

    def see_both(where):
        """Both have seen the dead run's lock before one goes on, and the other after that; unless they take turns."""
        see(where)
        with suppress(BrokenBarrierError):
            if both_saw.wait(1):
                taken.wait(5)

    def run():
        with suppress(ValueError), sole_user(bucket):
            held.append(1)
            taken.set()
            ended.wait(10)

    monkeypatch.setattr(lock, "_refuse_living", see_both)
    ended, runs = Event(), [Thread(target=run) for _ in range(2)]
    for thread in runs:
        thread.start()
    while sum(thread.is_alive() for thread in runs) == 2 and len(held) < 2:
        sleep(0.05)
    assert len(held) == 1
    ended.set()
    for thread in runs:
        thread.join()


def test_a_lock_that_goes_while_it_is_looked_at_is_no_trouble(bucket, monkeypatch):
    (bucket / ".lock").write_text(json.dumps({"host": "elsewhere", "process": 1}))
    read = lock.read_json

    def gone(where):
        where.unlink(missing_ok=True)
        return read(where)

    monkeypatch.setattr(lock, "read_json", gone)
    with sole_user(bucket):
        assert (bucket / ".lock").exists()


def test_a_bucket_that_is_not_there_is_told(s3_server):
    from shards.places import place

    out = place("s3://no-such-bucket/out")
    with pytest.raises(ValueError, match="OUT=s3://no-such-bucket/out cannot be written to"), sole_user(out):
        pass
