import pytest
import yaml
from jsonargparse import ArgumentParser

from shards.plain_yaml import to_yaml

WORDS = ["1e3", "-1E+3", "1.5e3", "1.e5", ".5e+3", "001", "0x1F", "no", "null", "~", "", "2020-01-01", "web", "é: #"]


@pytest.mark.parametrize("word", WORDS)
def test_texts_stay_texts_for_both_readers(tmp_path, word):
    written = to_yaml({"kept": [word, 3, 1e-5, True, None]})
    assert yaml.safe_load(written) == {"kept": [word, 3, 1e-5, True, None]}
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--kept", type=list)
    (tmp_path / "c.yaml").write_text(written, encoding="utf-8")
    assert parser.parse_path(tmp_path / "c.yaml").kept == [word, 3, 1e-5, True, None]


def test_keys_keep_their_order():
    assert to_yaml({"b": 1, "a": {"c": [1, 2]}}) == "b: 1\na:\n  c:\n  - 1\n  - 2\n"
