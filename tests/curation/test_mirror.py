import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from handmade import clip_ids, put_clips, put_scores

from curation import mirror
from curation.maker import STAMP, makers, stamped
from curation.selectable import selectable
from curation.tables import Corpus
from shards.store import write_json

PART = "part-00000"


@pytest.fixture
def corpus(tmp_path):
    corpus = Corpus(tmp_path)
    ids = put_clips(corpus, 0, 4)
    put_scores(corpus, 0, "motion", ids, flow=[1.0, None, 3.0, 4.0])
    put_scores(corpus, 0, "dedup", ids, odd=[1.0] * 4)
    return corpus


def read(corpus, *columns):
    return selectable(corpus, ["motion"], columns).read(PART, columns).select(list(columns)).to_pydict()


def test_ids_of_equal_bytes_are_not_decoded(corpus, monkeypatch):
    def decoded(*_):
        raise AssertionError("ids were decoded")

    monkeypatch.setattr(mirror, "read_mirror", decoded)
    assert read(corpus, "flow", "width") == {"flow": [1.0, None, 3.0, 4.0], "width": [640] * 4}


def test_a_part_without_clips_is_compared_as_others_are(tmp_path):
    corpus = Corpus(tmp_path)
    put_scores(corpus, 0, "motion", put_clips(corpus, 0, 0), flow=[])
    put_scores(corpus, 0, "dedup", [], odd=[])
    assert read(corpus, "flow", "width") == {"flow": [], "width": []}


def test_tables_of_an_older_version_mirror_those_of_now(corpus):
    path = corpus.path("clips", PART)
    pq.write_table(pq.read_table(path), path, compression="zstd")  # with a dictionary of ids
    assert read(corpus, "flow") == {"flow": [1.0, None, 3.0, 4.0]}


def test_ids_that_were_written_otherwise_are_compared_as_they_are(corpus):
    path = corpus.path("scores/motion", PART)
    pq.write_table(pq.read_table(path), path, compression="none", row_group_size=2)
    assert read(corpus, "flow") == {"flow": [1.0, None, 3.0, 4.0]}


@pytest.mark.parametrize("ids", [clip_ids(4)[::-1], clip_ids(3), clip_ids(4, first=4)], ids=["order", "fewer", "other"])
def test_other_ids_are_refused(corpus, ids):
    put_scores(corpus, 0, "motion", ids, flow=[1.0] * len(ids))
    with pytest.raises(ValueError, match=r"motion/part-00000.parquet does not mirror"):
        read(corpus, "flow")


def test_a_part_cut_short_or_gone_is_named_with_the_way_out(corpus):
    path = corpus.path("scores/motion", PART)
    wide = selectable(corpus, ["motion"], ["flow"])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"cannot read .*motion/part-00000.parquet .*remove that file and run the job"):
        wide.read(PART, ["flow"])
    path.unlink()
    with pytest.raises(ValueError, match=r"motion/part-00000.parquet is missing: the job that writes scores/motion"):
        wide.read(PART, ["flow"])


def put_stamped(corpus, made_by):
    path = corpus.path("scores/motion", PART)
    rows = pq.read_table(path)
    corpus.write("scores/motion", PART, rows, stamped(rows.schema, made_by))
    assert (pq.read_schema(path).metadata or {}).get(STAMP) == (made_by and made_by.encode())


def test_parts_that_were_made_otherwise_are_refused_and_old_ones_that_say_nothing_are_not(corpus):
    write_json(corpus.folder("scores/motion") / "config.json", {"config": {}, "hash": "now"})
    assert makers(corpus, ["scores/motion", "scores/dedup"]) == {"scores/motion": "now"}
    for made_by in (None, "now"):
        put_stamped(corpus, made_by)
        assert read(corpus, "flow")["flow"][0] == 1.0
    put_stamped(corpus, "then")
    with pytest.raises(
        ValueError, match=r"motion/part-00000.parquet was made with another .*Remove that file and run JOB=score"
    ):
        read(corpus, "flow")


def test_columns_of_a_users_table_that_change_their_type(tmp_path, corpus):
    for number, kind in enumerate((pa.string(), pa.int64())):
        rows = pa.table({"path": ["/a"], "year": pa.array([None], kind)})
        (tmp_path / "inputs").mkdir(exist_ok=True)
        pq.write_table(rows, tmp_path / "inputs" / f"part-{number:05d}.parquet")
    with pytest.raises(ValueError, match=r"part-00001.parquet: the column `year` .* is int64 there and string"):
        read(corpus, "year")
