import pyarrow as pa
import pytest

from curation.tables import Corpus, part_name
from curation.user_columns import extra_columns, names_beside, of_files, user_columns
from shards.schema import INPUTS


def put(corpus, part, rows, *fields):
    schema = pa.schema([*INPUTS, *fields])
    rows = [{"path": f"/{k}", "size_bytes": 1} | row for k, row in enumerate(rows)]
    corpus.write("inputs", part_name(part), pa.Table.from_pylist(rows, schema=schema), schema)


def test_columns_of_all_parts_by_their_type(tmp_path):
    corpus = Corpus(tmp_path)
    put(corpus, 0, [{}], ("source", pa.null()))
    put(corpus, 1, [{"source": "web"}], ("source", pa.string()), ("tags", pa.list_(pa.string())))
    put(corpus, 2, [{"year": 1999}], ("year", pa.int16()))
    assert user_columns(corpus) == {"source": pa.string(), "year": pa.int16()}
    put(corpus, 3, [{"year": "late"}], ("year", pa.string()))
    with pytest.raises(ValueError, match=r"part-00003.*`year` .* is string there and int16 in parts before"):
        user_columns(corpus)
    assert extra_columns(INPUTS) == []


def test_of_files_by_path(tmp_path):
    corpus = Corpus(tmp_path)
    put(corpus, 0, [{"source": "web"}, {"source": None}, {"source": "film"}], ("source", pa.string()))
    paths = pa.chunked_array([["/2", "/9"], ["/0", "/1", "/2"]])
    told = of_files(corpus, part_name(0), paths, {"source": pa.string(), "year": pa.int16()})
    assert told["source"].to_pylist() == ["film", None, "web", None, "film"]
    assert told["year"].to_pylist() == [None] * 5 and told["year"].type == pa.int16()


def test_names_give_way():
    assert names_beside(["a", "b"], ["b", "c"]) == {"a": "a", "b": "input_b"}
    assert names_beside(["b", "input_b"], ["b"]) == {"b": "input_b", "input_b": "input_input_b"}
