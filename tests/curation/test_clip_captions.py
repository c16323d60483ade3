"""All captions of a clip: the user's, then those of scorers."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pytest

from curation.clip_captions import caption_columns, clip_captions
from curation.safe_score import score_schema
from curation.scorer import Score, Scorer
from curation.tables import Corpus
from shards.schema import CAPTIONS, CLIPS, field, from_rows

PART = "part-00000"


@dataclass(frozen=True)
class Fixed(Scorer):
    """Has columns of several kinds."""

    columns: tuple[str, ...]

    @property
    def writes(self) -> pa.Schema:
        others = [field("caption_length", pa.int32(), "a number"), field("mood", pa.string(), "no caption")]
        return pa.schema([*(field(name, pa.string(), "a caption") for name in self.columns), *others])

    def build(self) -> Score:
        raise NotImplementedError


SCORERS = {"z": Fixed(("caption_z",)), "a": Fixed(("caption_b", "caption_a"))}


def put(corpus: Corpus, name: str, clip_ids: Sequence[str], **texts: Sequence[str | None]) -> None:
    schema = score_schema(name, SCORERS[name])
    rows = [dict.fromkeys(schema.names) | {"clip_id": clip_id} for clip_id in clip_ids]
    for column, values in texts.items():
        for row, value in zip(rows, values, strict=True):
            row[column] = value
    corpus.write(f"scores/{name}", PART, from_rows(rows, schema), schema)


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    corpus = Corpus(tmp_path)
    clips = [dict.fromkeys(CLIPS.names) | {"clip_id": clip_id} for clip_id in ("c1", "c2", "c3")]
    corpus.write("clips", PART, from_rows(clips, CLIPS), CLIPS)
    told = [("c2", "by hand", "me"), ("c1", "first", "me"), ("c1", "second", "you")]
    captions = [dict(zip(CAPTIONS.names, row, strict=True)) for row in told]
    corpus.write("captions", PART, from_rows(captions, CAPTIONS), CAPTIONS)
    put(corpus, "z", ["c1", "c2", "c3"], caption_z=["z one", None, "z three"], mood=["gay"] * 3)
    put(corpus, "a", ["c1", "c2", "c3"], caption_b=["b one", "b two", None], caption_a=[None, "", None])
    return corpus


def test_the_users_come_first_then_scorers_in_the_order_of_the_configuration(corpus):
    assert clip_captions(corpus, PART, SCORERS) == {
        "c1": [
            {"text": "first", "source": "me"},
            {"text": "second", "source": "you"},
            {"text": "z one", "source": "z"},
            {"text": "b one", "source": "b"},
        ],
        "c2": [{"text": "by hand", "source": "me"}, {"text": "b two", "source": "b"}],
        "c3": [{"text": "z three", "source": "z"}],
    }
    turned = clip_captions(corpus, PART, dict(reversed(SCORERS.items())))
    assert [caption["source"] for caption in turned["c1"]] == ["me", "you", "b", "z"]
    assert "c3" not in clip_captions(corpus, PART, {})


def test_what_the_user_brings_is_kept_whatever_it_says(corpus):
    told = ["!" * 99, "a dog " * 99, "\ufffd", "x" * 9999]
    rows = [dict(zip(CAPTIONS.names, ("c3", text, "me"), strict=True)) for text in told]
    corpus.write("captions", PART, from_rows(rows, CAPTIONS), CAPTIONS)
    assert [caption["text"] for caption in clip_captions(corpus, PART, {})["c3"]] == told


def test_only_columns_of_text_are_captions():
    tables = {"caption_z": "scores/z", "caption_b": "scores/a", "caption_a": "scores/a"}
    assert caption_columns(SCORERS) == tables and list(caption_columns(SCORERS)) == list(tables)


def test_a_table_of_other_clips_is_refused(corpus):
    put(corpus, "z", ["c1", "c3", "c2"], caption_z=["x"] * 3)
    with pytest.raises(ValueError, match="does not mirror"):
        clip_captions(corpus, PART, SCORERS)
