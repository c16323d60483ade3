import pytest

from training.callbacks.look import is_due
from training.callbacks.watch import Watch


@pytest.mark.parametrize(
    ("seen", "every", "due"),
    [(10, 10, True), (12, 10, False), (20, 10, True), (22, 7, True), (26, 7, False), (100, 0, True), (50, 0, False)],
)
def test_due_at_multiples_and_at_the_end(seen, every, due):
    assert is_due(seen, seen - 2, every, 100) is due


def test_each_multiple_is_met_once_whatever_the_step():
    for step in (1, 3, 7, 16):
        due = [seen for seen in range(step, 480, step) if is_due(seen, seen - step, 16, 10**9)]
        assert len(due) == (480 - 1) // step * step // 16
        assert all(seen % 16 < step for seen in due)


def test_negative_intervals_are_refused():
    with pytest.raises(ValueError, match="checkpoint_every"):
        Watch(checkpoint_every=-1)
