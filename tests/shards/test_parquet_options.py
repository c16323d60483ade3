import pyarrow as pa
import pyarrow.parquet as pq

from shards.parquet_options import parquet_options
from shards.schema import CLIP_ID, INPUTS

NESTED = pa.schema(
    [
        CLIP_ID,
        pa.field("kind", pa.string()),
        pa.field("motion", pa.float32()),
        pa.field("jpeg", pa.binary()),
        pa.field("hashes", pa.list_(pa.uint64())),
        pa.field("embedding", pa.list_(pa.float16(), 2)),
        pa.field("reasons", pa.list_(pa.string())),
        pa.field("scores", pa.map_(pa.string(), pa.float64())),
        pa.field("spans", pa.list_(pa.struct([pa.field("start_s", pa.float64()), pa.field("source", pa.string())]))),
    ]
)
ROW = {
    "clip_id": "a-0-1",
    "kind": "x",
    "motion": 0.5,
    "jpeg": b"..",
    "hashes": [2**63],
    "embedding": [0.5, 1.5],
    "reasons": ["dark"],
    "scores": [("motion", 0.5)],
    "spans": [{"start_s": 0.0, "source": "user"}],
}


def with_dictionary(path):
    group = pq.read_metadata(path).row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    return {column.path_in_schema for column in columns if column.has_dictionary_page}


def test_fractions_bytes_hashes_and_ids_have_no_dictionary(tmp_path):
    table = pa.Table.from_pylist([ROW] * 3, schema=NESTED)
    pq.write_table(table, tmp_path / "a.parquet", **parquet_options(NESTED))
    others = {"kind", "reasons.list.element", "scores.key_value.key", "spans.list.element.source"}
    assert with_dictionary(tmp_path / "a.parquet") == others
    assert pq.read_table(tmp_path / "a.parquet").equals(table)


def test_every_stored_column_of_a_table_is_named_as_parquet_does(tmp_path):
    pq.write_table(INPUTS.empty_table(), tmp_path / "a.parquet")
    schema = pq.ParquetFile(tmp_path / "a.parquet").schema
    stored = {schema.column(number).path for number in range(len(schema))}
    named = set(parquet_options(INPUTS)["use_dictionary"])
    assert "captions.list.element.source" in named and named <= stored
