import pyarrow as pa
import pytest
from handmade import clip_ids, put_clips, put_scores

from curation.joined import join
from curation.tables import Corpus, part_name


@pytest.fixture
def corpus(tmp_path):
    """Two parts of three clips with two score tables, one of which holds an embedding."""
    corpus = Corpus(tmp_path)
    for part in range(2):
        ids = put_clips(corpus, part, 3, first=3 * part, sharpness=[1.0, 2.0, 3.0])
        embedding = pa.array([[0.5, 0.5]] * 3, pa.list_(pa.float16(), 2))
        put_scores(
            corpus, part, "motion", ids, flow=[10.0 * part, None, 2.0], errors=[None, "too short: 1 frame", None]
        )
        put_scores(corpus, part, "openclip", ids, similarity=[0.1, 0.2, 0.3], embedding=embedding)
    return corpus


def test_columns_come_from_their_tables_in_the_order_asked_for(corpus):
    rows = join(corpus, ["motion", "openclip"]).read("part-00001", ["similarity", "clip_id", "flow", "sharpness"])
    assert rows.column_names == ["similarity", "clip_id", "flow", "sharpness"]
    assert rows["flow"].to_pylist() == [10.0, None, 2.0]
    assert rows["clip_id"].to_pylist() == clip_ids(3, first=3)


def test_a_column_over_all_parts(corpus):
    assert join(corpus, ["motion"]).column("flow").to_pylist() == [0.0, None, 2.0, 10.0, None, 2.0]


def test_embeddings_leave_only_when_asked_for(corpus):
    wide = join(corpus, ["motion", "openclip"])
    assert "embedding" not in wide.flat() and "embedding" not in wide.numeric()
    assert wide.read("part-00000", ["embedding"])["embedding"][0].as_py() == [0.5, 0.5]


def test_numeric_and_flat_columns(corpus):
    wide = join(corpus, ["motion"])
    assert {"flow", "sharpness", "num_frames"} <= set(wide.numeric())
    assert not {"clip_id", "motion_error"} & set(wide.numeric())
    assert {"clip_id", "motion_error"} <= set(wide.flat())


@pytest.mark.parametrize(
    "ids", [clip_ids(2), clip_ids(3)[::-1], clip_ids(3, first=50)], ids=["missing", "order", "other"]
)
def test_rows_that_do_not_mirror_clips_are_refused(corpus, ids):
    put_scores(corpus, 0, "motion", ids, flow=[1.0] * len(ids))
    wide = join(corpus, ["motion"])
    for refused in (lambda: wide.read("part-00000", ["flow"]), lambda: wide.prove(["flow"])):
        with pytest.raises(ValueError, match=r"motion/part-00000.parquet does not mirror"):
            refused()


def test_a_part_that_was_not_scored(corpus):
    corpus.path("scores/motion", "part-00001").unlink()
    wide = join(corpus, ["motion"])
    with pytest.raises(ValueError, match=r"motion/part-00001.parquet is missing"):
        wide.read("part-00001", ["flow"])
    with pytest.raises(ValueError, match=r"motion/part-00001.parquet is missing"):
        wide.column("flow")
    rows = wide.read("part-00001", ["clip_id", "flow"], pending=True)
    assert rows["flow"].to_pylist() == [None] * 3


def test_a_part_that_lacks_a_column(corpus):
    put_scores(corpus, 1, "motion", clip_ids(3, first=3), other=[1.0] * 3)
    with pytest.raises(ValueError, match=r"motion/part-00001.parquet lacks \['flow'\]"):
        join(corpus, ["motion"]).read("part-00001", ["flow"])


def test_two_tables_with_one_column_name_are_refused(corpus):
    put_scores(corpus, 0, "again", clip_ids(3), flow=[1.0] * 3)
    with pytest.raises(ValueError, match="scores/again and scores/motion both hold a column `flow`"):
        join(corpus, ["motion", "again"])


def test_a_score_that_never_ran_is_named(corpus):
    with pytest.raises(ValueError, match="aesthetic has no part yet"):
        join(corpus, ["aesthetic"])


def test_prove_counts_clips(corpus):
    assert part_name(1) in join(corpus, []).parts()
    assert join(corpus, ["motion"]).prove(["flow", "sharpness"]) == 6
