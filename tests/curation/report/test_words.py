import math

import pytest

from curation.report.words import number, share


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        (1234567.0, "1,234,567"),
        (0.123456, "0.1235"),
        (1693.4, "1,693"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
    ],
)
def test_numbers_as_people_read_them(value, words):
    assert number(value) == words


def test_percent_and_its_sign_stay_on_one_line():
    assert share(1, 4) == "25.0\N{NO-BREAK SPACE}%" and share(3, 0) == share(None) == "–"
