from decimal import Decimal

import pyarrow as pa
import pytest

from curation.tables import Corpus, part_name
from curation.user_columns import extra_columns, merged_columns, names_beside, of_files, user_columns
from shards.schema import INPUTS


def put(corpus, part, rows, *fields):
    schema = pa.schema([*INPUTS, *fields])
    rows = [{"path": f"/{k}", "size_bytes": 1} | row for k, row in enumerate(rows)]
    corpus.write("inputs", part_name(part), pa.Table.from_pylist(rows, schema=schema), schema)


def test_columns_of_all_parts_by_their_type(tmp_path):
    corpus = Corpus(tmp_path)
    put(corpus, 0, [{}], ("source", pa.null()), ("note", pa.null()))
    put(corpus, 1, [{"source": "web"}], ("source", pa.string()), ("tags", pa.list_(pa.string())))
    put(corpus, 2, [{"year": 1999}], ("year", pa.int16()))
    assert user_columns(corpus, ["year"]) == {"source": pa.string(), "year": pa.int16(), "note": pa.null()}
    assert extra_columns(INPUTS) == []


def test_a_column_of_several_types_is_refused_only_where_it_is_named(tmp_path):
    corpus = Corpus(tmp_path)
    put(corpus, 0, [{"year": 1999}], ("year", pa.int16()), ("source", pa.string()))
    put(corpus, 1, [{"year": "late"}], ("year", pa.string()), ("source", pa.string()))
    with pytest.raises(ValueError, match=r"part-00001.*`year` .* is string there and int16 in .*another OUT"):
        user_columns(corpus, ["source", "year"])
    assert user_columns(corpus, ["source"])["source"] == pa.string()


def test_a_table_that_only_tells_takes_several_types_as_one_and_warns(tmp_path, caplog):
    corpus = Corpus(tmp_path)
    mixed = {"rank": pa.int64(), "price": pa.decimal128(4, 1), "year": pa.int64(), "tags": pa.list_(pa.int64())}
    values = {"rank": 2**53 + 1, "price": Decimal("1.5"), "year": 1999, "tags": [1]}
    put(corpus, 0, [values], *mixed.items(), ("raw", pa.binary()), ("source", pa.string()))
    put(corpus, 1, [{}], *((name, pa.string()) for name in ("year", "tags", "raw", "source")), ("rank", pa.float64()))
    put(corpus, 2, [{"raw": b"\xff"}, {}], ("raw", pa.binary()), ("price", pa.int8()))
    merged = merged_columns(corpus)
    assert merged == {"rank": pa.float64(), "price": pa.float64()} | dict.fromkeys(
        ("year", "tags", "raw", "source"), pa.string()
    )
    assert [record.message.split("`")[1] for record in caplog.records] == ["rank", "price", "year", "raw"]
    assert "`year` of your table is int64 and string in different parts; taken as string" in caplog.messages
    told = of_files(corpus, part_name(0), pa.chunked_array([["/0"]]), merged).to_pylist()
    assert told == [{"rank": 2.0**53, "price": 1.5, "year": "1999", "tags": None, "raw": None, "source": None}]
    raw = of_files(corpus, part_name(2), pa.chunked_array([["/0", "/1"]]), {"raw": pa.string()})["raw"]
    assert raw.to_pylist() == ["b'\\xff'", None]


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
