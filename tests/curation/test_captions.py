import pytest

from curation.captions import Caption, Captions, assign, write_captions
from curation.guard import ConfigChanged
from curation.tables import Corpus
from shards.schema import CLIPS, INPUTS, VIDEOS, from_rows


def clip(start_s, end_s, clip_id="v-1-2", video_id="v"):
    return {"clip_id": clip_id, "video_id": video_id, "start_s": start_s, "end_s": end_s}


@pytest.mark.parametrize(
    ("caption", "covered"),
    [
        (Caption("x", "s"), True),
        (Caption("x", "s", 1.0, 3.0), True),
        (Caption("x", "s", 0.0, 2.0), True),  # exactly half of 1..3
        (Caption("x", "s", 0.0, 1.9), False),
        (Caption("x", "s", 2.0, None), True),
        (Caption("x", "s", None, 1.5), False),
        (Caption("x", "s", 5.0, 9.0), False),
    ],
)
def test_a_caption_needs_half_of_the_clip(caption, covered):
    assert bool(assign([caption], [clip(1.0, 3.0)])) is covered


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
        ("path,text,start_s\na.mp4,x,soon\n", "must be numbers"),
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
        ('{"path": "a.mp4", "text": "x", "start_s": [1]}\n', "must be numbers"),
    ],
)
def test_words_that_are_no_text_are_refused_by_row(tmp_path, lines, words):
    (tmp_path / "c.jsonl").write_text(lines)
    with pytest.raises(ValueError, match=rf"c\.jsonl.*{words}"):
        Captions(str(tmp_path / "c.jsonl"))


def test_empty_words_are_no_caption(tmp_path):
    (tmp_path / "c.csv").write_text("path,text\na.mp4,\na.mp4,x\n")
    assert Captions(str(tmp_path / "c.csv")).of(str(tmp_path / "a.mp4")) == [Caption("x", "c")]


@pytest.fixture
def copies(tmp_path) -> Corpus:
    """One clip of a video that lies at three paths: one.mp4 and two.mp4 of part 0, three.mp4 of part 1."""
    corpus = Corpus(tmp_path / "out")
    for part, names in (("part-00000", ["one", "two"]), ("part-00001", ["three"])):
        rows = [dict.fromkeys(INPUTS.names) | {"video_id": "v", "path": str(tmp_path / f"{n}.mp4")} for n in names]
        corpus.write("inputs", part, from_rows(rows, INPUTS), INPUTS)
    corpus.write("clips", "part-00000", from_rows([dict.fromkeys(CLIPS.names) | clip(0.0, 1.0)], CLIPS), CLIPS)
    video = dict.fromkeys(VIDEOS.names) | {"video_id": "v", "path": str(tmp_path / "one.mp4")}
    corpus.write("videos", "part-00000", from_rows([video], VIDEOS), VIDEOS)
    return corpus


def test_captions_of_every_byte_copy_count_once(copies, tmp_path, caplog):
    (tmp_path / "two.txt").write_text("beside the copy")
    (tmp_path / "c.csv").write_text("path,text\nthree.mp4,third\ntwo.mp4,same\none.mp4,same\none.mp4,first\n")
    write_captions(copies, Captions(str(tmp_path / "c.csv")))
    texts = copies.read("captions", "part-00000")["text"].to_pylist()
    assert texts == ["same", "first", "beside the copy", "third"]
    assert "match no file" not in caplog.text


def test_captions_of_no_file_are_reported(copies, tmp_path, caplog):
    (tmp_path / "c.csv").write_text("path,text\none.mp4,x\ntypo.mp4,y\ntypo.mp4,z\nother.mp4,w\n")
    write_captions(copies, Captions(str(tmp_path / "c.csv")))
    said = f"3 captions of 2 files in {tmp_path / 'c.csv'} match no file of this corpus, e.g. {tmp_path / 'typo.mp4'}"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("WARNING", said)]


def test_changed_captions_are_not_taken_silently(tmp_path):
    corpus = Corpus(tmp_path / "out")
    row = dict.fromkeys(CLIPS.names) | clip(0.0, 1.0)
    corpus.write("clips", "part-00000", from_rows([row], CLIPS), CLIPS)
    video = dict.fromkeys(VIDEOS.names) | {"video_id": "v", "path": str(tmp_path / "a.mp4")}
    corpus.write("videos", "part-00000", from_rows([video], VIDEOS), VIDEOS)
    (tmp_path / "c.csv").write_text("path,text\na.mp4,one\n")
    assert write_captions(corpus, Captions(str(tmp_path / "c.csv"))) == 1
    assert corpus.read("captions", "part-00000").to_pylist() == [{"clip_id": "v-1-2", "text": "one", "source": "c"}]
    assert write_captions(corpus, Captions(str(tmp_path / "c.csv"))) == 0
    (tmp_path / "c.csv").write_text("path,text\na.mp4,two\n")
    with pytest.raises(ConfigChanged, match="FORCE=captions"):
        write_captions(corpus, Captions(str(tmp_path / "c.csv")))
