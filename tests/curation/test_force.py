"""Which tables FORCE moves aside: those of the job, and those built on them, no other."""

import pytest
from handmade import put_clips, put_dedup, put_scores
from stand_in import Sum

from curation import dedup
from curation.config import CurateConfig
from curation.duplicates.config import DedupConfig
from curation.force import force
from curation.guard import claim
from curation.score_order import describe_tables
from curation.scorer import Scorer
from curation.tables import Corpus
from shards.schema import CAPTIONS
from shards.store import write_json

# `match` looks at captions, `fit` at what `match` wrote, `size` at neither.
SCORERS: dict[str, Scorer] = {
    "match": Sum("match", "captions"),
    "fit": Sum("fit", "match"),
    "size": Sum("size", "width"),
}
BIGGER: dict[str, Scorer] = SCORERS | {"size": Sum("size", "width", plus=5)}
BY_SIZE, BY_FIT = DedupConfig(rank=["size"]), DedupConfig(rank=["fit"])


def standing(root, ranked: DedupConfig) -> Corpus:
    """A corpus on which all jobs up to `dedup` are done with `SCORERS`."""
    corpus = Corpus(root)
    ids = put_clips(corpus, 0, 2)
    corpus.write("captions", "part-00000", CAPTIONS.empty_table(), CAPTIONS)
    for table, description in describe_tables(SCORERS).items():
        name = table.removeprefix("scores/")
        put_scores(corpus, 0, name, ids, **{name: [1.0, 2.0]})
        claim(corpus, "score", table, description)
    put_dedup(corpus, 0, ids)
    claim(corpus, "dedup", dedup.TABLE, dedup.description(ranked, SCORERS))
    return corpus


def moved(corpus: Corpus, what: str, scorers: dict[str, Scorer], ranked: DedupConfig) -> set[str]:
    """Forces; gives the tables that are gone."""
    tables = ["captions", *describe_tables(SCORERS), dedup.TABLE]
    force(corpus, CurateConfig(scorers=scorers, dedup=ranked), what)
    assert corpus.parts("clips")
    return {table.removeprefix("scores/") for table in tables if not corpus.parts(table)}


@pytest.mark.parametrize(("ranked", "too"), [(BY_FIT, {"dedup"}), (BY_SIZE, set())])
def test_new_captions_take_duplicates_along_that_are_ranked_by_them(tmp_path, ranked, too):
    gone = moved(standing(tmp_path, ranked), "captions", SCORERS, ranked)
    assert gone == {"captions", "match", "fit"} | too


@pytest.mark.parametrize(("ranked", "too"), [(BY_SIZE, {"dedup"}), (BY_FIT, set())])
def test_a_changed_scorer_takes_duplicates_along_that_read_it(tmp_path, ranked, too):
    assert moved(standing(tmp_path, ranked), "score", BIGGER, ranked) == {"size"} | too


def test_where_no_scorer_has_changed_all_scores_and_the_duplicates_made_of_them_go(tmp_path):
    for ranked, too in ((BY_SIZE, {"dedup"}), (DedupConfig(), set())):
        corpus = standing(tmp_path / str(len(too)), ranked)
        assert moved(corpus, "score", SCORERS, ranked) == set(SCORERS) | too


def test_duplicates_of_other_settings_go_with_the_scores(tmp_path):
    assert moved(standing(tmp_path, BY_SIZE), "score", BIGGER, BY_FIT) == {"size", "dedup"}


def test_forced_duplicates_leave_the_scores(tmp_path):
    assert moved(standing(tmp_path, BY_SIZE), "dedup", SCORERS, BY_SIZE) == {"dedup"}


def test_what_is_built_on_a_table_is_moved_before_it(tmp_path, monkeypatch):
    order: list[str] = []
    monkeypatch.setattr("curation.force.move_aside", lambda corpus, tables: order.extend(tables))
    corpus = standing(tmp_path, BY_FIT)
    claim(corpus, "pack", "shards/hq", {})
    force(corpus, CurateConfig(scorers=SCORERS, dedup=BY_FIT), "captions")
    assert order == ["stats", "shards/hq", "verdicts", "scores/dedup", "scores/fit", "scores/match", "captions"]


@pytest.mark.parametrize("what", ["split", "captions", "score", "dedup"])
def test_sets_of_verdicts_go_and_the_sets_that_a_user_put_beside_them_stay(tmp_path, what):
    corpus = standing(tmp_path, BY_FIT)
    for name in ("hq", "pretrain"):
        claim(corpus, "pack", f"shards/{name}", {})
    claim(Corpus(corpus.folder("shards/photos")), "pictures", "plan", {})  # as `pictures` does
    write_json(corpus.folder("shards/photos") / "manifest.json", {})
    force(corpus, CurateConfig(scorers=SCORERS, dedup=BY_FIT), what)
    assert [path.name for path in corpus.folder("shards").iterdir()] == ["photos"]
    assert sorted(path.name for path in tmp_path.glob("aside/*/shards/*")) == ["hq", "pretrain"]
    assert (corpus.folder("shards/photos") / "manifest.json").exists()
