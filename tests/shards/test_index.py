import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import make_sample

from shards.index import read_index
from shards.schema import INDEX
from shards.writer import index_path, write_shard


def listed(path, num_samples):
    return {"num_samples": num_samples, "index_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_the_index_that_the_manifest_lists_is_read(tmp_path):
    tar = tmp_path / "00000.tar"
    index = write_shard(tar, [make_sample(k) for k in range(3)])
    path = index_path(tar)
    assert read_index(path, listed(path, 3)).equals(index)
    with pytest.raises(ValueError, match=r"00000\.parquet has 3 rows, manifest\.json says 2"):
        read_index(path, listed(path, 2))
    with pytest.raises(ValueError, match=r"00000\.parquet is not the index that manifest\.json lists"):
        read_index(path, {"num_samples": 3, "index_sha256": "0" * 64})
    with pytest.raises(FileNotFoundError):
        read_index(tmp_path / "00001.parquet", {"num_samples": 3, "index_sha256": "0" * 64})


@pytest.mark.parametrize("columns", [INDEX.names[:-1], ["key"]])
def test_a_table_that_is_no_index_is_refused(tmp_path, columns):
    path = tmp_path / "00000.parquet"
    pq.write_table(INDEX.empty_table().select(columns), path)
    with pytest.raises(ValueError, match=r"00000\.parquet cannot be read as an index"):
        read_index(path, listed(path, 0))


@pytest.mark.parametrize("hole", ["key", "members", "offset_bytes", "size_bytes", "crc32"])
def test_an_index_with_holes_is_refused(tmp_path, hole):
    rows = write_shard(tmp_path / "a.tar", [make_sample(k) for k in range(3)]).to_pylist()
    (rows[1] if hole in rows[1] else rows[1]["members"][0])[hole] = None
    path = tmp_path / "00000.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=INDEX), path)
    with pytest.raises(ValueError, match=r"00000\.parquet is no index: .* is null"):
        read_index(path, listed(path, 3))


def test_bytes_that_are_no_parquet_and_wrong_types_are_refused(tmp_path):
    path = tmp_path / "00000.parquet"
    path.write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(ValueError, match=r"00000\.parquet cannot be read as an index"):
        read_index(path, listed(path, 0))
    text = pa.table([pa.array(["x"])] * len(INDEX), names=INDEX.names)
    pq.write_table(text, path)
    with pytest.raises(ValueError, match=r"00000\.parquet cannot be read as an index"):
        read_index(path, listed(path, 1))


def test_an_index_at_an_address(bucket):
    index = write_shard(bucket / "00000.tar", [make_sample(0)])
    path = bucket / "00000.parquet"
    assert read_index(path, listed(path, 1)).equals(index)
    with pytest.raises(FileNotFoundError, match=r"00001\.parquet"):
        read_index(bucket / "00001.parquet", listed(path, 1))
