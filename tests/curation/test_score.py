import pickle
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pyarrow as pa
import pytest

from curation.caption_rows import write_captions
from curation.captions import Captions
from curation.engine import Engine
from curation.proxies import ROWS_PER_GROUP, ProxyReader, merge_proxies, proxy_writer
from curation.safe_score import ContractError, SafeScore, score_schema
from curation.score import CHUNK_FRAMES, ScoreTask
from curation.score_order import homes, in_waves
from curation.scorer import Frames, Misfit, Resources, Score, Scorer
from curation.tables import Corpus
from shards.schema import CLIPS, INPUTS, VIDEOS, field, from_rows


@dataclass(frozen=True)
class Level(Scorer):
    """Mean gray level and number of frames; told to misbehave by the tests."""

    fault: str = ""
    reads = ("captions",)

    @property
    def writes(self) -> pa.Schema:
        return pa.schema([field("level", pa.float32(), "mean gray"), field("seen", pa.int32(), "frames")])

    def build(self) -> Score:
        def score(table: pa.Table, frames: Sequence[Frames]) -> dict[str, Sequence]:
            if self.fault == "always" or (self.fault == "dark" and any(p.mean() < 40 for c in frames for _, p in c)):
                raise ArithmeticError("cannot score that")
            if self.fault == "misfit alone" and len(frames) > 1:
                raise ArithmeticError("too many at once")
            if self.fault.startswith("misfit"):
                raise Misfit("embeddings of another model")
            if self.fault == "full" and any(p.mean() > 150 for c in frames for _, p in c):
                raise RuntimeError("CUDA error: out of memory")
            columns = {
                "level": [float(np.mean([p.mean() for _, p in clip])) if clip else None for clip in frames],
                "seen": [len(clip) for clip in frames],
            }
            if self.fault == "odd":
                columns["level"] = [[float("nan"), float("inf"), None, 1.0][k % 4] for k in range(len(frames))]
                columns["error"] = ["too dark" if k == 0 else None for k in range(len(frames))]
            if self.fault == "extra":
                columns["surprise"] = columns["seen"]
            if self.fault == "short":
                columns["seen"] = columns["seen"][:-1]
            return columns

        return score


def proxy(video_id: str, pts: int, level: int) -> dict:
    jpeg = cv2.imencode(".jpg", np.full((16, 16, 3), level, np.uint8))[1].tobytes()
    return {"video_id": video_id, "pts": pts, "time_s": pts / 10, "sharpness": 0.0, "blockiness": 1.0, "jpeg": jpeg}


VIDEOS_PTS = {"a": 90, "b": 3, "c": 200}  # video -> proxy frames at pts 0, 5, 10 ...


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    """Three videos; clips of 50 ticks, frame at pts p of gray level 10 + p/10 mod 200; the first is dark."""
    corpus = Corpus(tmp_path / "out")
    files, clips = [], []
    for video_id, count in VIDEOS_PTS.items():
        files.append(tmp_path / f"{video_id}.parquet")
        with proxy_writer(files[-1]) as write:
            for k in range(count):
                write(proxy(video_id, 5 * k, 20 + 5 * k // 50 * 30 % 200))
        for start in range(0, 5 * count, 50):
            row = {"clip_id": f"{video_id}-{start}", "video_id": video_id, "start_pts": start, "end_pts": start + 50}
            clips.append(dict.fromkeys(CLIPS.names) | row | {"start_s": start / 10, "end_s": start / 10 + 5})
    merge_proxies(files, corpus.path("proxies", "part-00000"))
    corpus.write("clips", "part-00000", from_rows(clips, CLIPS), CLIPS)
    rows = [dict.fromkeys(VIDEOS.names) | {"video_id": v, "path": f"/{v}.mp4"} for v in VIDEOS_PTS]
    corpus.write("videos", "part-00000", from_rows(rows, VIDEOS), VIDEOS)
    listed = [dict.fromkeys(INPUTS.names) | {"video_id": v, "path": f"/{v}.mp4"} for v in VIDEOS_PTS]
    corpus.write("inputs", "part-00000", from_rows(listed, INPUTS), INPUTS)
    write_captions(corpus, Captions(None))
    return corpus


def scored(corpus: Corpus, **scorers: Scorer) -> dict[str, list[dict]]:
    Engine("local", None, corpus.root / "journal").run(
        "score", ScoreTask(corpus, scorers, Resources()), corpus.parts("clips"), lambda part, counts: None
    )
    return {name: corpus.read_all(f"scores/{name}").to_pylist() for name in scorers}


def test_each_clip_sees_its_own_frames_and_no_others(corpus):
    assert sum(VIDEOS_PTS.values()) > CHUNK_FRAMES > ROWS_PER_GROUP, "the data must span several chunks and groups"
    rows = scored(corpus, level=Level())["level"]
    assert [row["clip_id"] for row in rows] == corpus.read_all("clips")["clip_id"].to_pylist()
    for row in rows:
        video_id, start = row["clip_id"].split("-")
        assert row["seen"] == min(10, VIDEOS_PTS[video_id] - int(start) // 5)
        assert row["level"] == pytest.approx(20 + int(start) // 50 * 30 % 200, abs=2)
        assert row["level_error"] is None


def test_clips_without_frames_do_not_shift_the_others(corpus):
    reader = ProxyReader(corpus.path("proxies", "part-00000"))
    spans = [("a", 0, 1), ("a", 1, 4), ("b", 0, 99), ("c", 990, 999)]
    assert [len(reader.frames(*span)) for span in spans] == [1, 0, 3, 2]
    reader.close()


def test_a_clip_that_breaks_the_scorer_costs_that_clip_only(corpus):
    rows = scored(corpus, level=Level(fault="dark"))["level"]
    broken = [row for row in rows if row["level_error"]]
    assert {row["clip_id"] for row in broken} == {
        row["clip_id"] for row in rows if int(row["clip_id"].split("-")[1]) // 50 * 30 % 200 < 20
    }
    assert broken and all(row["level"] is None and "ArithmeticError" in row["level_error"] for row in broken)
    assert all(row["level"] is not None for row in rows if row not in broken)


def test_a_scorer_that_always_raises_stops_the_job_with_the_first_traceback(corpus):
    with pytest.raises(RuntimeError, match="raised for each of its first") as caught:
        scored(corpus, level=Level(fault="always"))
    assert not corpus.parts("scores/level")
    words = str(pickle.loads(pickle.dumps(caught.value)))  # as it comes from another process
    assert "Traceback" in words and "test_score.py" in words and words.endswith("ArithmeticError: cannot score that")


@pytest.mark.parametrize("fault", ["misfit", "misfit alone"])
def test_a_scorer_that_is_given_what_does_not_fit_stops_the_job_at_once(corpus, fault):
    with pytest.raises(Misfit, match=r"scorers\.level: embeddings of another model"):
        scored(corpus, level=Level(fault=fault))
    assert not corpus.parts("scores/level")


def few_clips(corpus: Corpus, count: int) -> None:
    corpus.write("clips", "part-00000", corpus.read("clips", "part-00000").slice(0, count), CLIPS)


@pytest.mark.parametrize("count", [3, 5])
def test_a_scorer_that_scores_nothing_of_a_small_part_stops_the_job(corpus, count):
    few_clips(corpus, count)
    with pytest.raises(RuntimeError, match=f"scored none of the {count} clips of a part: ArithmeticError: cannot"):
        scored(corpus, level=Level(fault="always"))
    assert not corpus.parts("scores/level")


def test_a_good_part_does_not_excuse_a_bad_one(corpus):
    score, clips = SafeScore("level", Level(fault="dark")), corpus.read("clips", "part-00000").slice(0, 1)
    clips = clips.append_column("captions", pa.array([[]], pa.list_(pa.string())))
    bright, dark = ([[(0.0, np.full((4, 4, 3), level, np.uint8))]] for level in (90, 9))
    assert len(score.whole([score(clips, bright), score(clips, dark), score(clips, dark)])) == 3
    assert score.whole([score(clips, dark)])["level"].to_pylist() == [None], "one clip tells nothing of the scorer"
    with pytest.raises(RuntimeError, match="scored none of the 3 clips"):
        score.whole([score(clips, dark) for _ in range(3)])


def test_what_is_no_number_becomes_null_with_a_reason(corpus):
    few_clips(corpus, 4)
    rows = scored(corpus, level=Level(fault="odd"))["level"]
    assert [row["level"] for row in rows] == [None, None, None, 1.0]
    assert [row["level_error"] for row in rows] == ["too dark", "not a number: level", None, None]


@pytest.mark.parametrize("fault", ["extra", "short"])
def test_a_scorer_is_held_to_its_declaration(corpus, fault):
    with pytest.raises(ContractError, match="declares"):
        scored(corpus, level=Level(fault=fault))


def test_only_missing_tables_are_made(corpus):
    first = scored(corpus, level=Level())
    stamp = corpus.path("scores/level", "part-00000").stat().st_mtime_ns
    both = ScoreTask(corpus, {"level": Level(), "again": Level()}, Resources())
    both.build().run("part-00000")
    assert corpus.path("scores/level", "part-00000").stat().st_mtime_ns == stamp
    again = corpus.read_all("scores/again").to_pylist()
    assert [row["level"] for row in again] == [row["level"] for row in first["level"]]


@dataclass(frozen=True)
class Echo(Scorer):
    """Says in words what it was given."""

    asks: tuple[str, ...]

    reads_frames = False

    @property
    def reads(self) -> Sequence[str]:
        return self.asks

    @property
    def writes(self) -> pa.Schema:
        return pa.schema([field("words", pa.string(), "what it read"), field("frames", pa.int32(), "number of frames")])

    def build(self) -> Score:
        def score(table: pa.Table, frames: Sequence[Frames]) -> dict[str, Sequence]:
            words = [" ".join(str(row[name]) for name in self.asks) for row in table.to_pylist()]
            return {"words": words, "frames": [len(clip) for clip in frames]}

        return score


def test_a_scorer_reads_clips_paths_and_what_others_wrote_and_needs_no_frames(corpus):
    scorers = {"echo": Echo(("start_pts", "path", "level", "captions")), "level": Level()}
    for wave in in_waves(scorers):
        task = ScoreTask(corpus, wave, Resources(), homes(scorers))
        corpus.path("proxies", "part-00000").rename(corpus.root / "away") if "echo" in wave else None
        Engine("local", None, corpus.root / "journal").run("score", task, ["part-00000"], lambda part, counts: None)
    levels = corpus.read_all("scores/level")["level"].to_pylist()
    rows = corpus.read_all("scores/echo").to_pylist()
    for row, level in zip(rows, levels, strict=True):
        video_id, start = row["clip_id"].split("-")
        assert row["words"] == f"{start} /{video_id}.mp4 {level} []" and row["frames"] == 0
    assert len(rows) > 2


def test_a_table_of_other_clips_is_refused(corpus):
    scored(corpus, level=Level())
    corpus.write(
        "scores/level", "part-00000", table := corpus.read("scores/level", "part-00000").slice(1), table.schema
    )
    scorers = {"echo": Echo(("level",)), "level": Level()}
    with pytest.raises(ValueError, match="does not mirror"):
        ScoreTask(corpus, {"echo": scorers["echo"]}, Resources(), homes(scorers)).build().run("part-00000")


def test_proxy_frames_cut_short_or_of_another_corpus_are_told(corpus):
    path = corpus.path("proxies", "part-00000")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(ValueError, match=r"cannot read .*proxies/part-00000\.parquet .*FORCE=split"):
        scored(corpus, level=Level())
    with proxy_writer(path) as write:
        write(proxy("another", 0, 9))
    with pytest.raises(ValueError, match="holds no frame of the video a"):
        scored(corpus, level=Level())
    assert not corpus.parts("scores/level")


def test_no_clips_give_an_empty_table(corpus):
    assert SafeScore("level", Level()).empty().schema == score_schema("level", Level())


def test_a_gpu_that_is_full_stops_the_job_and_is_no_failure_of_a_clip(corpus):
    with pytest.raises(RuntimeError, match=r"scorer full has no GPU memory left for a single clip.*`resources\.gpus`"):
        scored(corpus, full=Level(fault="full"))
    assert not corpus.parts("scores/full")
