import pyarrow as pa
import pytest

from curation.caption_rows import assign, write_captions
from curation.captions import Caption, Captions
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


def test_captions_of_the_input_table_belong_to_its_spans(tmp_path):
    corpus = Corpus(tmp_path)
    told = [
        {"start_s": None, "end_s": None, "text": "whole", "source": "caption"},
        {"start_s": 0.0, "end_s": 2.0, "text": "early", "source": "caption_blip"},
    ]
    inputs = [
        {"path": f"/f/{name}.mp4", "video_id": "v", "captions": rows} for name, rows in [("a", told), ("b", told)]
    ]
    corpus.write("inputs", "part-00000", pa.Table.from_pylist(inputs, schema=INPUTS), INPUTS)
    corpus.write(
        "videos", "part-00000", from_rows([dict.fromkeys(VIDEOS.names) | inputs_row(inputs[0])], VIDEOS), VIDEOS
    )
    clips = [clip(0.0, 2.0, "v-0-2"), clip(2.0, 4.0, "v-2-4")]
    corpus.write("clips", "part-00000", from_rows([dict.fromkeys(CLIPS.names) | row for row in clips], CLIPS), CLIPS)
    assert write_captions(corpus, Captions(None)) == 1
    found = [(row["clip_id"], row["text"], row["source"]) for row in corpus.read_all("captions").to_pylist()]
    assert found == [("v-0-2", "whole", "caption"), ("v-0-2", "early", "caption_blip"), ("v-2-4", "whole", "caption")]


def inputs_row(row: dict) -> dict:
    return {"video_id": row["video_id"], "path": row["path"], "status": "ok"}
