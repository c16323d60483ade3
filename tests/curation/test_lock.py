import json
import os
import socket

import pytest

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


def test_a_bucket_that_is_not_there_is_told(s3_server):
    from shards.places import place

    out = place("s3://no-such-bucket/out")
    with pytest.raises(ValueError, match="OUT=s3://no-such-bucket/out cannot be written to"), sole_user(out):
        pass
