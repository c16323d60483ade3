import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from picturebook import put

from curation.pictures.rows import table_entries
from curation.pictures.words import of_row

ROWS = 'path,caption,caption_blip,aesthetic,label,license\na.jpg,A dog,dog,5.5,3,by\n/b.jpg,,"a, b",,x,\n'


def words(path):
    return [(entry.path, *of_row(entry.row, entry.source)) for entry in table_entries(path)]


def test_a_csv_gives_captions_and_the_columns_that_are_numbers(tmp_path):
    table = put(tmp_path, {"dogs.csv": ROWS}) / "dogs.csv"
    first, second = words(table)
    captions = [{"text": "A dog", "source": "dogs"}, {"text": "dog", "source": "blip"}]
    assert first == (str(tmp_path / "a.jpg"), captions, {"aesthetic": 5.5})
    assert second == ("/b.jpg", [{"text": "a, b", "source": "blip"}], {})


def test_a_row_may_name_the_source_of_its_caption(tmp_path):
    rows = '{"path": "a.jpg", "text": "x", "source": "me", "n": 1}\n{"path": "s3://bucket/b.jpg"}\n'
    first, second = words(put(tmp_path, {"t.jsonl": rows}) / "t.jsonl")
    assert first[1:] == ([{"text": "x", "source": "me"}], {"n": 1.0}) and second == ("s3://bucket/b.jpg", [], {})


def test_a_table_may_say_nothing_but_where_pictures_lie(tmp_path):
    pq.write_table(pa.table({"path": [f"{k}.jpg" for k in range(3000)]}), tmp_path / "t.parquet")
    assert [entry.path for entry in table_entries(tmp_path / "t.parquet")][2999] == str(tmp_path / "2999.jpg")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("name\na.jpg\n", "has no column `path`; it has name"),
        ("path\n''\n\"\"\n", "`path` is empty"),
    ],
)
def test_a_table_that_is_none(tmp_path, rows, reason):
    with pytest.raises(ValueError, match=reason):
        list(table_entries(put(tmp_path, {"t.csv": rows}) / "t.csv"))


def test_a_caption_that_is_no_text(tmp_path):
    pq.write_table(pa.table({"path": ["a.jpg"], "caption": [3]}), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"`caption` must hold text, not int64"):
        list(table_entries(tmp_path / "t.parquet"))
