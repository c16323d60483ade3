import pytest

from curation.captions import Caption, Captions


def test_table_and_sidecar_both_count(tmp_path):
    (tmp_path / "a.txt").write_text("from the sidecar\n")
    (tmp_path / "captions.csv").write_text(
        "path,start_s,end_s,text,source\na.mp4,0,2,from the table,human\nb.mp4,,,x,\n"
    )
    captions = Captions(str(tmp_path / "captions.csv"))
    assert captions.of(str(tmp_path / "a.mp4")) == [
        Caption("from the table", "human", 0.0, 2.0),
        Caption("from the sidecar", "sidecar"),
    ]
    assert captions.of(str(tmp_path / "b.mp4")) == [Caption("x", "captions")]
    assert captions.of(str(tmp_path / "c.mp4")) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,words\na.mp4,x\n", "lacks the columns"),
        ("path,text,start_s\na.mp4,x,soon\n", r"c\.csv: row 1: `start_s` must be seconds"),
        ("path,text,end_s\na.mp4,x,1\na.mp4,y,nan\n", r"c\.csv: row 2: `end_s` must be seconds .* not 'nan'"),
        ("path,text\na.mp4,x\n,y\n", r"c\.csv: row 2: `path` is empty"),
        ("text,path\nx,a.mp4\ny\n", r"c\.csv: row 2: `path` must be text, not None"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, text, words):
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        Captions(str(tmp_path / "c.csv"))
    with pytest.raises(ValueError, match="is not there"):
        Captions(str(tmp_path / "missing.csv"))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('{"path": "a.mp4", "text": "x"}\n{"path": "b.mp4", "text": null}\n', "row 2: `text` must be text, not None"),
        ('{"path": "a.mp4", "text": "x"}\n{"path": "b.mp4"}\n', "row 2: `text` must be text, not None"),
        ('{"path": "a.mp4", "text": 5}\n', "row 1: `text` must be text, not 5"),
        ('{"path": 7, "text": "x"}\n', "row 1: `path` must be text, not 7"),
        ('{"path": "a.mp4", "text": "x"}\n{"path": "b.mp4", "text": 5}\n', "row 2, column `text`"),
        ('{"path": "a.mp4", "text": "x", "start_s": [1]}\n', r"row 1: `start_s` must be seconds"),
    ],
)
def test_words_that_are_no_text_are_refused_by_row(tmp_path, lines, words):
    (tmp_path / "c.jsonl").write_text(lines)
    with pytest.raises(ValueError, match=rf"c\.jsonl.*{words}"):
        Captions(str(tmp_path / "c.jsonl"))


def test_empty_words_are_no_caption(tmp_path):
    (tmp_path / "c.csv").write_text("path,text\na.mp4,\na.mp4,x\n")
    assert Captions(str(tmp_path / "c.csv")).of(str(tmp_path / "a.mp4")) == [Caption("x", "c")]


def test_table_and_sidecar_may_lie_at_an_address(bucket):
    (bucket / "a.txt").write_bytes("beside ü".encode())
    (bucket / "c.csv").write_text(f"path,text\na.mp4,one\n{bucket}/sub/b.mp4,two\n")
    captions = Captions(f"{bucket}/c.csv")
    assert captions.of(f"{bucket}/a.mp4") == [Caption("one", "c"), Caption("beside ü", "sidecar")]
    assert captions.of(f"{bucket}/sub/b.mp4") == [Caption("two", "c")]
    assert captions.of("https://host.invalid/d.mp4") == [], "a web server is not asked for what nobody named"
