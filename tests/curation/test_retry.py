"""RETRY=<status> reads videos of that status again and nothing else."""

from pathlib import Path

import pytest
from demo_corpus import read
from faulty import HEALED, Faulty
from footage import noise_scene, write_video

from curation import retry
from curation.__main__ import main
from curation.config import CurateConfig, InputsConfig, LimitsConfig, RuleSet, SplitConfig
from curation.engine import Engine
from curation.jobs import Curation
from curation.progress import Screen
from curation.scorers.motion import Motion
from curation.tables import Corpus
from shards.store import write_json

TABLES = ("inputs", "videos", "clips", "captions", "proxies", "scores", "verdicts", "stats")
JOBS = ("split", "score", "dedup", "filter", "stats")


@pytest.fixture
def curate(tmp_path, monkeypatch):
    """Curates five videos, the second of which crashes its reader and the fourth of which is no video."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for number in (0, 2, 4):
        write_video(tmp_path / "in" / f"{number}.mp4", noise_scene(number, 14))
    write_video(tmp_path / "in" / "1.mp4", noise_scene(1, 24), fps=12)
    (tmp_path / "in" / "3.mp4").write_text("no video")

    def run(out: str, retried: str | None = None, forced: str | None = None) -> Corpus:
        split = SplitConfig(splitter=Faulty(), limits=LimitsConfig(attempts=1))
        config = CurateConfig(
            videos=str(tmp_path / "in"),
            inputs=InputsConfig(part_max_videos=3),
            split=split,
            scorers={"motion": Motion()},
            sets={"all": RuleSet()},
        )
        corpus = Corpus(tmp_path / out)
        engine = Engine("local", None, tmp_path / out / "journal")
        Curation(corpus, config, engine, Screen()).run(JOBS, forced, lambda: None, retried)
        return corpus

    return run


def content(root: Path) -> dict[str, bytes]:
    files = [path for table in TABLES for path in (root / table).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_a_video_that_is_read_again_ends_as_if_it_had_never_failed(tmp_path, curate, capfd, monkeypatch):
    curate("out")
    before = content(tmp_path / "out")
    assert [row["status"] for row in read(tmp_path / "out", "videos")] == ["ok", "quarantined", "ok", "failed", "ok"]
    monkeypatch.setenv(HEALED, "1")
    curate("out")
    assert content(tmp_path / "out") == before, "nothing is tried again unasked"
    for made in ("hq/config.json", "photos/plan/config.json"):  # a set of verdicts, and one that the user has brought
        write_json(tmp_path / "out" / "shards" / made, {})
    curate("out", "quarantined")
    assert "RETRY=quarantined: 1 of 1 are ok now" in capfd.readouterr().out
    assert [path.name for path in (tmp_path / "out" / "shards").iterdir()] == ["photos"]
    curate("whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert content(tmp_path / "out")["scores/motion/part-00001.parquet"] == before["scores/motion/part-00001.parquet"]
    assert list((tmp_path / "out" / "aside").glob("*/scores/motion/part-00000.parquet"))


def test_a_video_that_fails_again_moves_nothing(tmp_path, curate, capfd):
    curate("out")
    before = content(tmp_path / "out")
    curate("out", "quarantined")
    curate("out", "failed")
    said = capfd.readouterr().out
    assert "RETRY=quarantined: 0 of 1 are ok now\n" in said and "RETRY=failed: 0 of 1 are ok now\n" in said
    assert content(tmp_path / "out") == before and not (tmp_path / "out" / "aside").exists()


@pytest.mark.parametrize("kill", [1, 2])
def test_a_retry_that_is_killed_amid_its_tables_is_made_good_by_the_next_run(tmp_path, curate, monkeypatch, kill):
    curate("out")
    monkeypatch.setenv(HEALED, "1")
    write, written = Corpus.write, []

    def dying(self, table, part, rows, schema):
        if self.root == tmp_path / "out":
            written.append(table)
            if len(written) == kill:
                raise KeyboardInterrupt
        write(self, table, part, rows, schema)

    monkeypatch.setattr(Corpus, "write", dying)
    with pytest.raises(KeyboardInterrupt):
        curate("out", "quarantined")
    monkeypatch.setattr(Corpus, "write", write)
    curate("out")
    curate("whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_where_none_has_the_status_nothing_is_done(tmp_path, curate, capfd):
    curate("out")
    curate("out", "blocked")
    assert "RETRY=blocked: no video is blocked" in capfd.readouterr().out


def test_chosen_are_the_videos_of_a_status_by_part(tmp_path):
    from handmade import put_videos

    corpus = Corpus(tmp_path)
    put_videos(corpus, 0, [{"video_id": "a", "status": "failed"}, {"video_id": "b", "status": "ok"}])
    put_videos(corpus, 1, [{"video_id": "c", "status": "ok"}])
    assert retry.chosen(corpus, "failed") == {"part-00000": frozenset({"a"})}


@pytest.mark.parametrize(
    "arguments", [["--job", "score", "--retry", "failed"], ["--force", "split", "--retry", "failed"]]
)
def test_where_nothing_can_be_read_again_it_is_refused(tmp_path, capfd, arguments):
    assert main(["run", "--videos", str(tmp_path), "--out", str(tmp_path / "out"), *arguments]) == 1
    assert "RETRY=failed reads videos again in the job split" in capfd.readouterr().err
    assert main(["run", "--out", str(tmp_path / "out"), "--retry", "ok"]) == 2
