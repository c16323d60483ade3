import math

import pytest

from curation.report.words import number


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "–"), (1234567.0, "1,234,567"), (0.123456, "0.1235"), (math.inf, "∞"), (-math.inf, "-∞")],
)
def test_numbers_as_people_read_them(value, words):
    assert number(value) == words
