"""Batches that halve when memory runs out."""

import pytest
import torch

from curation.batches import Batches


class Machine:
    """Doubles numbers; has memory for so many at once."""

    def __init__(self, room: int) -> None:
        self.room, self.sizes = room, []

    def __call__(self, batch):
        self.sizes.append(len(batch))
        if len(batch) > self.room:
            raise torch.OutOfMemoryError("out of memory")
        return [2 * number for number in batch]


def test_results_come_in_order_and_batches_are_full():
    machine = Machine(100)
    assert Batches(4)(machine, range(10)) == [2 * number for number in range(10)]
    assert machine.sizes == [4, 4, 2]
    assert Batches(4)(machine, []) == []


def test_memory_that_runs_out_halves_the_batch_for_good(caplog):
    machine, batches = Machine(3), Batches(8)
    assert batches(machine, range(9)) == [2 * number for number in range(9)]
    assert machine.sizes == [8, 4, 2, 2, 2, 2, 1]
    assert "going on with 2" in caplog.text
    assert batches(machine, range(2)) == [0, 2] and machine.sizes[-1] == 2


def test_what_does_not_fit_alone_is_told():
    with pytest.raises(torch.OutOfMemoryError):
        Batches(4)(Machine(0), range(3))


@pytest.mark.parametrize("count", [0, 3, 5])
def test_a_wrong_number_of_results_is_told_at_once(count):
    calls = []

    def model(batch):
        calls.append(batch)
        return [0] * count

    with pytest.raises(RuntimeError, match=rf"model gave {count} results for 4 items"):
        Batches(4)(model, range(8))
    assert len(calls) == 1


def test_other_errors_are_not_taken_for_lack_of_memory():
    def run(batch):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        Batches(4)(run, range(3))
