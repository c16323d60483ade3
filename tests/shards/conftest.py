"""A packed set that may be spoilt."""

import shutil

import pytest
from spoil import pack


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    return pack(tmp_path_factory.mktemp("set"))


@pytest.fixture
def root(whole, tmp_path):
    """A copy that may be spoilt; `tar` is its second shard, with the samples 3 to 5."""
    shutil.copytree(whole, tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def tar(root):
    return root / "train" / "00001.tar"
