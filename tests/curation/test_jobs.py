"""The jobs `score` to `filter`: what stands is left, what is new is done in order, and what has changed is refused."""

from collections.abc import Callable

import pytest
from handmade import VIDEO, put_clips, put_videos, split_video
from stand_in import Sum

from curation.config import CurateConfig, RuleSet, SplitConfig
from curation.duplicates.config import DedupConfig
from curation.engine import Engine
from curation.guard import ConfigChanged, claim, describe
from curation.jobs import Curation
from curation.progress import Screen
from curation.scorer import Scorer
from curation.tables import Corpus
from shards.schema import CAPTIONS
from shards.store import move_folder, write_json

CHAIN = {"c": Sum("c", "b"), "b": Sum("b", "a"), "a": Sum("a", "num_frames")}


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    corpus = Corpus(tmp_path)
    for part in (0, 1):
        add_part(corpus, part)
    claim(corpus, "split", "clips", describe(SplitConfig()))
    return corpus


def add_part(corpus: Corpus, part: int) -> None:
    put_clips(corpus, part, 3, first=3 * part)
    put_videos(corpus, part, [split_video(3) | {"video_id": VIDEO, "status": "ok"}])
    corpus.write("captions", f"part-{part:05d}", CAPTIONS.empty_table(), CAPTIONS)


@pytest.fixture
def score(corpus, capsys) -> Callable[..., str]:
    def score(
        scorers: dict[str, Scorer], forced: str | None = None, jobs: tuple[str, ...] = ("score",), **config
    ) -> str:
        """Runs the job, or others; gives what they said."""
        engine = Engine("local", None, corpus.root / "journal")
        config = CurateConfig(engine="local", scorers=scorers, **config)
        Curation(corpus, config, engine, Screen()).run(jobs, forced, lambda: None)
        return capsys.readouterr().out

    return score


def stamps(corpus: Corpus) -> dict[str, int]:
    parts = corpus.folder("scores").rglob("part-*.parquet")
    return {str(path.relative_to(corpus.root)): path.stat().st_mtime_ns for path in parts}


def values(corpus: Corpus, name: str) -> list[int]:
    return corpus.read_all(f"scores/{name}")[name].to_pylist()


def test_tables_are_made_in_the_order_of_their_columns(corpus, score):
    score(CHAIN)
    assert values(corpus, "a") == [51] * 6 and values(corpus, "b") == [52] * 6 and values(corpus, "c") == [53] * 6


def test_a_new_scorer_and_a_new_part_are_all_that_is_done(corpus, score):
    score({name: CHAIN[name] for name in ("a", "b")})
    before = stamps(corpus)
    said = score(CHAIN)
    assert "score c: 2 parts" in said and "score a" not in said
    add_part(corpus, 2)
    score(CHAIN)
    after = stamps(corpus)
    assert {path: after[path] for path in before} == before and len(after) == 9
    assert "nothing to do" in score(CHAIN) and stamps(corpus) == after


def test_a_changed_scorer_refuses_its_readers_too_and_force_makes_them_anew(corpus, score):
    score(CHAIN | {"other": Sum("d", "height")})
    before, changed = stamps(corpus), CHAIN | {"b": Sum("b", "a", plus=10), "other": Sum("d", "height")}
    with pytest.raises(ConfigChanged, match=r"scores/b .*plus was 1, is 10.*FORCE=score"):
        score(changed)
    move_folder(corpus.folder("scores/b"), corpus.root / "gone")
    with pytest.raises(ConfigChanged, match=r"scores/c .*made_from\.scores/b\.plus was 1, is 10"):
        score(changed)
    move_folder(corpus.root / "gone", corpus.folder("scores/b"))
    assert stamps(corpus) == before
    score(changed, forced="score")
    after = stamps(corpus)
    assert {path.split("/")[1] for path in before if after[path] != before[path]} == {"b", "c"}
    assert values(corpus, "c") == [62] * 6


def test_what_is_missing_is_told_before_anything_is_written(corpus, score):
    with pytest.raises(ValueError, match=r"scorers\.b: there is no head\.pth"):
        score(CHAIN | {"b": Sum("b", "a", needs="head.pth")})
    with pytest.raises(ValueError, match=r"scorers\.b reads the column `z`"):
        score(CHAIN | {"b": Sum("b", "z")})
    assert not corpus.folder("scores").exists()


def test_proxy_frames_of_another_split_are_refused(corpus, score):
    with pytest.raises(ConfigChanged, match=r"clips was made with another configuration: proxy_fps was 2\.0, is 4\.0"):
        score(CHAIN, split=SplitConfig(proxy_fps=4.0))
    assert not corpus.folder("scores").exists()


SETS = {"hq": RuleSet([])}
BY_A = DedupConfig(rank=["a"])


def filtered(corpus: Corpus) -> bool:
    return corpus.folder("verdicts").exists()


def test_filter_refuses_duplicates_that_were_found_with_other_settings_or_scores(corpus, score):
    score(CHAIN, jobs=("score", "dedup"), dedup=BY_A, sets=SETS)
    with pytest.raises(ConfigChanged, match=r"scores/dedup was made with .*rank\.0 was 'a', is 'height'.*FORCE=dedup"):
        score(CHAIN, jobs=("filter",), dedup=DedupConfig(rank=["height"]), sets=SETS)
    with pytest.raises(ConfigChanged, match=r"scores/dedup was made with .*scores/a\.plus was 1, is 2.*FORCE=dedup"):
        score(CHAIN | {"a": Sum("a", "num_frames", plus=2)}, jobs=("filter",), dedup=BY_A, sets=SETS)
    assert not filtered(corpus)
    assert "filter hq: 6 clips" in score(CHAIN, jobs=("filter",), dedup=BY_A, sets=SETS)


def test_filter_alone_says_that_stats_are_of_the_verdicts_before(corpus, score, monkeypatch):
    monkeypatch.setattr(Curation, "stats", lambda self: write_json(self.corpus.folder("stats") / "any.json", {}))
    score(CHAIN, jobs=("score", "dedup"), dedup=BY_A, sets=SETS)
    stale = f"{corpus.folder('stats')} speaks of the verdicts before: make stats OUT={corpus.root} writes it anew"
    assert "speaks of" not in score(CHAIN, jobs=("filter",), dedup=BY_A, sets=SETS)
    assert "speaks of" not in score(CHAIN, jobs=("filter", "stats"), dedup=BY_A, sets=SETS)
    assert "speaks of" not in score(CHAIN, jobs=("filter", "stats"), dedup=BY_A, sets=SETS)
    assert score(CHAIN, jobs=("filter",), dedup=BY_A, sets=SETS).splitlines().count(stale) == 1


def test_filter_refuses_duplicates_that_are_not_whole(corpus, score):
    score(CHAIN, jobs=("score", "dedup"), dedup=BY_A, sets=SETS)
    corpus.path("scores/dedup", "part-00001").unlink()
    with pytest.raises(ValueError, match=r"scores/dedup is not whole, or of an older version: run `dedup` first"):
        score(CHAIN, jobs=("filter",), dedup=BY_A, sets=SETS)
    assert not filtered(corpus)
    assert "filter hq: 6 clips" in score(CHAIN, jobs=("dedup", "filter"), dedup=BY_A, sets=SETS)


def test_filter_refuses_duplicates_that_do_not_know_of_new_parts(corpus, score):
    score(CHAIN, jobs=("score", "dedup"), dedup=BY_A, sets=SETS)
    add_part(corpus, 2)
    score(CHAIN)
    with pytest.raises(ValueError, match="run `dedup` first"):
        score(CHAIN, jobs=("filter",), dedup=BY_A, sets=SETS)
    assert not filtered(corpus)


def test_filter_refuses_duplicates_that_tell_no_configuration(corpus, score):
    score(CHAIN, jobs=("score", "dedup"), dedup=BY_A, sets=SETS)
    (corpus.folder("scores/dedup") / "config.json").unlink()
    with pytest.raises(ValueError, match="of an older version"):
        score(CHAIN, jobs=("filter",), dedup=BY_A, sets=SETS)
    assert not filtered(corpus)


@pytest.mark.parametrize(("ranked", "is_anew"), [(BY_A, True), (DedupConfig(), False)])
def test_forced_scores_make_dedup_run_anew_where_it_reads_them(corpus, score, ranked, is_anew):
    score(CHAIN, jobs=("score", "dedup"), dedup=ranked, sets=SETS)
    changed = CHAIN | {"a": Sum("a", "num_frames", plus=5)}
    said = score(changed, "score", jobs=("score", "dedup", "filter"), dedup=ranked, sets=SETS)
    assert ("dedup: 6 clips" in said) == is_anew and ("dedup: nothing to do" in said) != is_anew
    assert "filter hq: 6 clips" in said


def test_a_column_by_which_copies_cannot_be_ranked_stops_before_work_starts(corpus, score):
    with pytest.raises(ValueError, match=r"dedup\.rank: the column `clip_id` is of type string"):
        score(CHAIN, dedup=DedupConfig(rank=["clip_id"]))
    assert not corpus.folder("scores").exists()
