"""Fixtures of the trainer's tests."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    """Threads that wait for each other on busy cores make a test of half a second take forty."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
