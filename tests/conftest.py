"""Fixtures that more than one test file uses."""

import logging
import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from upath import UPath

NUMBERS = count()

# Before torch is imported, and for all processes that tests start (what they load asks for no more): threads that wait
# for each other on busy cores make a test of half a second take forty, and another number of them rounds otherwise.
os.environ["OMP_NUM_THREADS"] = "1"

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def media() -> Path:
    """Real footage, found through RUSHES_MEDIA."""
    folder = os.environ.get("RUSHES_MEDIA")
    if not folder:
        pytest.skip("RUSHES_MEDIA is not set: no real footage to test on")
    return Path(folder)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a browser."""
    from installed import find_chromium

    return find_chromium()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """A server that speaks S3 over HTTP, where `s3://` leads in this process and its children; gives its endpoint."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    told = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**told, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}.items():
            patch.setenv(name, value)
        yield endpoint
    server.stop()


@pytest.fixture
def bucket(s3_server) -> UPath:
    """The empty folder of a new bucket."""
    from shards.places import place

    where = place(f"s3://bucket-{next(NUMBERS)}/folder")
    assert isinstance(where, UPath)
    where.fs.mkdir(where.drive)
    return where
