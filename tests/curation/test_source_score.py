from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from curation.engine import Engine
from curation.score import ScoreTask
from curation.scorer import Frames, Resources, Score, Scorer
from curation.stamp import stamp_of
from curation.tables import Corpus, part_name
from shards.schema import CLIPS, INPUTS, VIDEOS, field, from_rows

NAMES = ("a", "b", "c")


@dataclass(frozen=True)
class Size(Scorer):
    """Bytes of the video's file, which it may spoil meanwhile."""

    spoils: str = ""
    """`append` or `remove`: what it does to b.mp4 after it has read it."""
    reads = ("path",)
    reads_frames = False

    @property
    def writes(self) -> pa.Schema:
        return pa.schema([field("bytes", pa.int64(), "size"), field("words", pa.list_(pa.string()), "what it holds")])

    def build(self) -> Score:
        def score(table: pa.Table, frames: Sequence[Frames]) -> dict[str, Sequence]:
            files = [Path(path) for path in table["path"].to_pylist()]
            assert len(files) == len(frames) == 1
            known = {"bytes": [len(files[0].read_bytes())], "words": [[files[0].read_text()]]}
            if files[0].name == "b.mp4" and self.spoils == "append":
                files[0].write_text("another")
            if files[0].name == "b.mp4" and self.spoils == "remove":
                files[0].unlink()
            return known

        return score


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    """Three files, each in a part of its own, with two clips each."""
    corpus = Corpus(tmp_path / "out")
    for number, name in enumerate(NAMES):
        file = tmp_path / f"{name}.mp4"
        file.write_text(name)
        size_bytes, mtime_ns, _ = stamp_of(str(file))
        listed = {"path": str(file), "video_id": name, "size_bytes": size_bytes, "mtime_ns": mtime_ns}
        clips = [{"clip_id": f"{name}{k}", "video_id": name, "start_pts": k, "end_pts": k + 1} for k in range(2)]
        for table, schema, rows in (("inputs", INPUTS, [listed]), ("clips", CLIPS, clips)):
            full = [dict.fromkeys(schema.names) | row for row in rows]
            corpus.write(table, part_name(number), from_rows(full, schema), schema)
        video = dict.fromkeys(VIDEOS.names) | {"path": str(file), "video_id": name}
        corpus.write("videos", part_name(number), from_rows([video], VIDEOS), VIDEOS)
    return corpus


def scored(corpus: Corpus, scorer: Scorer | None = None, blocked: frozenset[str] = frozenset()) -> list[tuple]:
    task = ScoreTask(corpus, {"size": scorer or Size()}, Resources(), blocked=blocked)
    Engine("local", None, corpus.root / "journal").run("score", task, corpus.parts("clips"), lambda part, counts: None)
    rows = corpus.read_all("scores/size").to_pylist()
    assert [row["clip_id"] for row in rows] == [f"{name}{k}" for name in NAMES for k in range(2)]
    assert all((row["bytes"] is None) == (row["words"] is None) for row in rows)
    return [(row["bytes"], row["size_error"]) for row in rows]


def test_files_that_are_as_they_were_are_read(corpus):
    assert scored(corpus) == [(1, None)] * 6


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_a_file_that_is_not_the_one_that_was_listed_costs_its_own_clips(corpus, change):
    """Though it is alone in its part."""
    file = corpus.root.parent / "b.mp4"
    file.unlink() if change == "gone" else file.write_text("another")
    reason = f"{change} since it was listed"
    assert scored(corpus) == [(1, None)] * 2 + [(None, reason)] * 2 + [(1, None)] * 2


@pytest.mark.parametrize(("spoils", "change"), [("append", "changed"), ("remove", "gone")])
def test_a_file_that_becomes_another_while_it_is_read_is_not_believed(corpus, spoils, change):
    assert scored(corpus, Size(spoils))[2:4] == [(None, f"{change} since it was listed")] * 2


def test_where_all_files_are_gone_the_job_stops_and_nothing_is_written(corpus):
    for name in NAMES:
        (corpus.root.parent / f"{name}.mp4").unlink()
    with pytest.raises(OSError, match=r"a\.mp4: gone since it was listed, and so is every other .* mounted\?"):
        scored(corpus)
    assert not corpus.parts("scores/size")


def test_a_blocked_video_is_not_opened_and_stops_nothing(corpus):
    for name in NAMES:
        (corpus.root.parent / f"{name}.mp4").unlink()
    assert scored(corpus, blocked=frozenset(NAMES)) == [(None, "on the block list")] * 6
