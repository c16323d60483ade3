"""Lists of captions: which seed a line has, in every format, and what is refused."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.captions import Wanted, read_captions


def read(path, content, seed=0):
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        pq.write_table(pa.table(content), path)
    else:
        path.write_text(content, encoding="utf-8")
    return [(wanted.caption, wanted.seed) for wanted in read_captions(path, seed)]


def test_lines_of_a_text_have_the_seed_of_their_number(tmp_path):
    text = "\ufeffa red circle\n\n  a blue star \r\nкруг\n"
    assert read(tmp_path / "a.txt", text) == [("a red circle", 1), ("a blue star", 3), ("круг", 4)]
    assert read(tmp_path / "a.TXT", text, 100)[1] == ("a blue star", 103)


def test_a_line_keeps_its_seed_whatever_stands_around_it(tmp_path):
    one = read(tmp_path / "a.txt", "a\nb\nc\nd")
    assert read(tmp_path / "b.txt", "x\nb")[1] == one[1]


def test_rows_of_a_table_have_their_own_seed_or_that_of_their_number(tmp_path):
    rows = [{"caption": "a, b", "seed": 7}, {"caption": "c", "seed": None}, {"caption": "", "seed": 0}]
    expected = [("a, b", 7), ("c", 12), ("", 0)]
    lines = "\n".join(json.dumps(row) for row in rows)
    assert read(tmp_path / "a.jsonl", lines, 10) == expected
    assert read(tmp_path / "a.csv", 'id,seed,caption\n1,7,"a, b"\n2,,c\n3,0,\n', 10) == expected
    columns = {"seed": [7, None, 0], "caption": ["a, b", "c", ""], "other": [[1], [2], [3]]}
    assert read(tmp_path / "a.parquet", columns, 10) == expected
    columns["seed"] = [7.0, None, 0.0]  # as pandas writes whole numbers with a gap
    assert read(tmp_path / "b.parquet", columns, 10) == expected
    assert read(tmp_path / "c.parquet", {"caption": ["a", "b"]}) == [("a", 1), ("b", 2)]


def test_a_caption_that_looks_like_a_number_stays_a_text(tmp_path):
    assert read(tmp_path / "a.csv", "caption\n007\n") == [("007", 1)]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "", ["a.txt", "no caption"]),
        ("a.txt", " \n\n", ["no caption"]),
        ("a.csv", "caption,seed\n", ["no caption"]),
        ("a.csv", "text,seed\nx,1\n", ["no column `caption`", "text, seed"]),
        ("a.csv", "seed,caption\n1\n", ["row 1", "None"]),
        ("a.csv", "caption,seed\nx,one\n", ["row 1", "'one'"]),
        ("a.jsonl", '{"caption": "a"}\n{"caption"', ["a.jsonl", "line 2"]),
        ("a.jsonl", "[1]", ["line 1", "no JSON object"]),
        ("a.jsonl", '{"text": "a"}', ["no column `caption`", "text"]),
        ("a.jsonl", '{"caption": "a"}\n\n{"caption": 3}', ["row 3", "3"]),
        ("a.jsonl", '{"caption": "a", "seed": true}', ["row 1", "True"]),
        ("a.jsonl", '{"caption": "a", "seed": 1.5}', ["row 1", "1.5"]),
        ("a.jsonl", '{"caption": "a", "seed": 18446744073709551616}', ["row 1", "64 bits"]),
        ("a.parquet", {"text": ["a"]}, ["no column `caption`", "text"]),
        ("a.parquet", {"caption": ["a", None]}, ["row 2"]),
        ("a.parquet", b"nothing", ["a.parquet", "cannot be read"]),
        ("a.txt", b"\xff\xfe\x00", ["a.txt", "cannot be read"]),
        ("a.tsv", "caption\nx", ["a.tsv", ".txt, .csv, .jsonl, .parquet"]),
    ],
)
def test_what_is_no_list_is_refused(tmp_path, name, content, words):
    with pytest.raises(ValueError) as refusal:
        read(tmp_path / name, content)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


def test_a_list_that_is_not_there(tmp_path):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(ValueError, match="is no file"):
            read_captions(path)


@pytest.mark.parametrize("seed", [2**63, -(2**63) - 1])
def test_seeds_that_no_generator_takes(seed):
    with pytest.raises(ValueError, match="64 bits"):
        Wanted("a", seed)
