import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.video_table import read_video_table


@pytest.fixture
def table(tmp_path):
    def write(text: str, name: str = "t.csv") -> dict:
        (tmp_path / name).write_text(text)
        return read_video_table(tmp_path / name).to_pydict()

    return write


def span(start_s: float | None, end_s: float | None) -> dict:
    return {"start_s": start_s, "end_s": end_s}


def test_rows_of_one_file_become_one_with_its_spans_and_captions(table, tmp_path):
    columns = table(
        "path,start_s,end_s,caption,caption_blip,licence\n"
        "b.mp4,4,6.5,later,,CC0\n"
        "a.mp4,,,whole,,CC-BY\n"
        "b.mp4,0,2,first,a blip,CC0\n"
        "b.mp4,4,6.5,again,,CC0\n"
    )
    assert columns["path"] == [str(tmp_path / name) for name in ("a.mp4", "b.mp4")]
    assert columns["spans"] == [None, [span(4, 6.5), span(0, 2)]]
    assert columns["captions"] == [
        [span(None, None) | {"text": "whole", "source": "caption"}],
        [
            span(4, 6.5) | {"text": "later", "source": "caption"},
            span(0, 2) | {"text": "first", "source": "caption"},
            span(0, 2) | {"text": "a blip", "source": "caption_blip"},
            span(4, 6.5) | {"text": "again", "source": "caption"},
        ],
    ]
    assert columns["licence"] == ["CC-BY", "CC0"], "rows that agree give their value"


def test_other_columns_that_differ_within_a_file_become_lists(table):
    assert table("path,label\nb.mp4,x\na.mp4,y\nb.mp4,z\n")["label"] == [["y"], ["x", "z"]]


def test_a_value_that_is_not_equal_to_itself_agrees_with_itself(tmp_path):
    nan = float("nan")
    rows = {"path": ["b.mp4", "a.mp4", "b.mp4"], "score": [nan, 1.0, nan], "pair": [[nan, 1.0], None, [nan, 1.0]]}
    pq.write_table(pa.table(rows), tmp_path / "t.parquet")
    found = read_video_table(tmp_path / "t.parquet")
    assert found["score"].type == pa.float64() and str(found["score"].to_pylist()) == "[1.0, nan]"
    assert str(found["pair"].to_pylist()) == "[None, [nan, 1.0]]"


def test_half_a_span_reaches_to_that_end_of_the_file(table):
    assert table("path,start_s,end_s\na.mp4,3,\na.mp4,,2\n")["spans"] == [[span(3, None), span(0, 2)]]


def test_a_plain_table_gets_no_columns(table):
    assert list(table("path\na.mp4\n")) == ["path"]
    assert list(table("path,start_s,end_s,caption\na.mp4,,,\n")) == ["path"]


def test_types_stay(tmp_path):
    rows = {"path": ["b.mp4", "a.mp4"], "text": [None, "a"], "likes": pa.array([3, None], pa.int8())}
    pq.write_table(pa.table(rows), tmp_path / "t.parquet")
    found = read_video_table(tmp_path / "t.parquet")
    assert found["likes"].type == pa.int8() and found["likes"].to_pylist() == [None, 3]
    assert found["captions"].to_pylist() == [[span(None, None) | {"text": "a", "source": "text"}], None]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,start_s\na.mp4,soon\n", r"row 1: `start_s` must be seconds .* not 'soon'"),
        ("path,end_s\na.mp4,1\na.mp4,-1\n", r"row 2: `end_s` must be seconds"),
        ("path,end_s\na.mp4,nan\n", r"row 1: `end_s` must be seconds"),
        ("path,etag\na.mp4,1\n", r"rename the columns \['etag'\]"),
        ("file\na.mp4\n", "no column `path`"),
    ],
)
def test_wrong_values_are_refused_by_row(table, text, words):
    with pytest.raises(ValueError, match=words):
        table(text)


def test_a_caption_that_is_no_text_is_refused(table):
    with pytest.raises(ValueError, match=r"row 2: `caption` must be text, not 3"):
        table('{"path": "a.mp4"}\n{"path": "a.mp4", "caption": 3}\n', "t.jsonl")
