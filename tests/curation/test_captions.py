import pytest

from curation.captions import Caption, Captions, assign, write_captions
from curation.guard import ConfigChanged
from curation.tables import Corpus
from shards.schema import CLIPS, VIDEOS, from_rows


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
    [("path,words\na.mp4,x\n", "lacks the columns"), ("path,text,start_s\na.mp4,x,soon\n", "must be numbers")],
)
def test_a_wrong_table_is_refused(tmp_path, text, words):
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        Captions(str(tmp_path / "c.csv"))
    with pytest.raises(ValueError, match="is not there"):
        Captions(str(tmp_path / "missing.csv"))


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
