"""`log.csv`: a row a place, whole after any kill."""

import pytest

from training.callbacks.csv_log import CsvLog, read_log


@pytest.fixture
def log(tmp_path):
    log = CsvLog(tmp_path / "log.csv")
    log.begin(0)
    return log


def test_what_is_logged_at_one_place_is_one_row(log):
    log.log_metrics({"held_out": 1.5}, 0)
    log.log_metrics({"loss": 0.25, "speed": 3}, 4)
    log.log_metrics({"held_out": 1e-9}, 4)
    log.log_metrics({"loss": float("nan")}, 8)
    assert log.path.read_text() == "samples,held_out,loss,speed\n0,1.5,,\n4,1e-09,0.25,3\n8,,nan,\n"


def test_a_log_that_goes_on_neither_repeats_nor_loses_rows(log):
    whole = [(samples, {"loss": samples / 10}) for samples in range(4, 24, 4)]
    for samples, numbers in whole:
        log.log_metrics(numbers, samples)
    expected = log.path.read_bytes()
    with log.path.open("ab") as file:
        file.write(b"24,2.")  # killed while it wrote
    again = CsvLog(log.path)
    again.begin(12)
    assert [row["samples"] for row in read_log(log.path)] == ["4", "8", "12"]
    for samples, numbers in whole[2:]:  # the row at the checkpoint itself is met once more where it joins
        again.log_metrics(numbers, samples)
    assert log.path.read_bytes() == expected


@pytest.mark.parametrize("keep", range(0, 40, 3))
def test_a_file_cut_anywhere_is_read_as_far_as_its_rows_are_whole(log, keep):
    for samples in (4, 8, 12):
        log.log_metrics({"loss": 0.5}, samples)
    content = log.path.read_bytes()
    log.path.write_bytes(content[:keep])
    again = CsvLog(log.path)
    again.begin(8)
    complete = [line for line in content[:keep].split(b"\n")[1:-1] if int(line.split(b",")[0]) <= 8]
    assert [row["samples"] for row in read_log(log.path)] == [line.split(b",")[0].decode() for line in complete]
