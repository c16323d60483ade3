import resource

import numpy as np
import pytest

from curation.row_log import RowLog

ROW = np.dtype([("time", np.int64), ("pair", np.float32, 2)])


def rows(*times: int) -> np.ndarray:
    made = np.zeros(len(times), ROW)
    made["time"], made["pair"] = times, np.array(times)[:, None] + [0.25, 0.5]
    return made


def test_what_was_appended_is_read_from_anywhere(tmp_path):
    log = RowLog(ROW, tmp_path)
    assert len(log) == 0 and len(log.read()) == 0
    log.extend(rows(1, 2, 3))
    log.extend(rows(4))
    assert len(log) == 4
    np.testing.assert_array_equal(log.read(), rows(1, 2, 3, 4))
    np.testing.assert_array_equal(log.read(1, 3), rows(2, 3))
    np.testing.assert_array_equal(log.read(3, 9), rows(4))
    assert len(log.read(3, 1)) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("room", [0, 2 * ROW.itemsize + 1])
def test_rows_that_find_too_little_room_are_told(tmp_path, room):
    log = RowLog(ROW, tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(OSError, match=f"{room} of 48 bytes found room on this disk; free some.*'{tmp_path}'"):
            log.extend(rows(1, 2, 3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
