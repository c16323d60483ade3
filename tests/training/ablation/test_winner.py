"""Rules have won only where an arm beats the raw set beyond doubt, and curation reads them back as they were."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest
import yaml
from handmade import put_clips, put_dedup, put_scores

from curation import filter
from curation.__main__ import make_parser
from curation.config import CurateConfig, RuleSet
from curation.rule import Rule
from curation.sweep import sweep_sets
from curation.tables import Corpus
from training.ablation.arms import Arm, find_arms
from training.ablation.elo import Rating
from training.ablation.winner import winning_sets, write_winner


def rating(arm, lead, low):
    return Rating(arm, 10, 1000 + lead, 1000 + lead, 990.0, 1010.0, lead, low, lead + 1)


def arms(root, **rules):
    for name, told in rules.items():
        (root / name).mkdir()
        (root / name / "rules.json").write_text(json.dumps({"duplicates": "best", "thresholds": None} | told))
    return [Arm(name, root / name) for name in rules]


SOFT = {"column": "motion", "drop_bottom": 0.125}
HARD = {"column": "motion", "drop_bottom": 0.5}
TEXT = {"column": "text_area", "drop_top": 0.25}


def test_of_each_score_the_best_share_that_beats_the_raw_set(tmp_path):
    found = arms(
        tmp_path,
        raw={"rules": []},
        full={"rules": [HARD, TEXT], "thresholds": {"from": "sample/rules.json", "kept_hash": "beef"}},
        soft={"rules": [SOFT]},
        hard={"rules": [HARD]},
        text={"rules": [TEXT]},
    )
    rated = [rating("full", 9, 3), rating("hard", 8, 2), rating("soft", 5, 1), rating("text", 4, -0.1)]
    sets = winning_sets(found, [*rated, Rating("raw", 10, 1000.0, 1000.0, 990.0, 1010.0)])
    assert sets["ablation_won"] == {"rules": [HARD, TEXT], "duplicates": "best", "thresholds": "sample/rules.json"}
    assert sets["ablation_by_score"] == {"rules": [HARD], "duplicates": "best"}, "found here, not in the sample"


def test_where_no_single_score_wins_there_is_no_set_of_them(tmp_path):
    found = arms(tmp_path, raw={"rules": []}, full={"rules": [HARD, TEXT]}, soft={"rules": [SOFT]})
    assert winning_sets(found, [rating("full", 9, 3), rating("soft", 5, -0.1)]).keys() == {"ablation_won"}


def test_noise_wins_nothing(tmp_path):
    found = arms(tmp_path, raw={"rules": []}, soft={"rules": [SOFT]})
    assert winning_sets(found, [rating("soft", 5, -0.1)]) == {}
    assert winning_sets(found, [Rating("soft", 1, 1000.5, 1000.5, None, None, 1.0)]) == {}


def test_texts_that_look_like_numbers_stay_texts(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"out": "x", "sets": {"hq": {"rules": []}}}))
    rules = [{"column": "camera", "equals": "1e3"}]
    write_winner(tmp_path / "rules.yaml", tmp_path, {"ablation_won": {"rules": rules}})
    text = (tmp_path / "rules.yaml").read_text()
    assert "'1e3'" in text and yaml.safe_load(text)["sets"] == {"hq": {"rules": []}, "ablation_won": {"rules": rules}}


def test_what_won_an_earlier_ablation_has_not_won_this_one(tmp_path):
    earlier = {name: {"rules": [HARD]} for name in ("ablation_won", "ablation_by_score")}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"out": "x", "sets": {"hq": {"rules": []}} | earlier}))
    write_winner(tmp_path / "rules.yaml", tmp_path, {"ablation_won": {"rules": [TEXT]}})
    sets = yaml.safe_load((tmp_path / "rules.yaml").read_text())["sets"]
    assert sets == {"hq": {"rules": []}, "ablation_won": {"rules": [TEXT]}}


COLUMNS = {"flow": pa.float32(), "area": pa.float32()}
RULES = [Rule("flow", drop_bottom=0.25, if_null="keep"), Rule("area", drop_top=0.25)]


def settings(sets):
    return CurateConfig(scorers={"motion": None}, sets=sets)


def corpus_of(root, scale):
    """Ten clips with two scores, of which one tells nothing of the other."""
    corpus = Corpus(root)
    ids = put_clips(corpus, 0, 10)
    put_scores(corpus, 0, "motion", ids, flow=[scale * n for n in range(10)], area=[n * 7 % 10 for n in range(10)])
    put_dedup(corpus, 0, ids)
    (root / "config.yaml").write_text(yaml.safe_dump({"out": str(root), "sets": {}}))
    return corpus


@pytest.fixture(params=["its own numbers", "numbers of a sample"])
def swept(request, tmp_path):
    """A corpus with the verdicts of a real sweep, and the set that was swept."""
    corpus, rule_set = corpus_of(tmp_path / "all", 1.0), RuleSet(RULES, "exact")
    if request.param == "numbers of a sample":
        sample = corpus_of(tmp_path / "sample", 2.0)
        filter.run(sample, settings({"hq": rule_set}))
        rule_set = replace(rule_set, thresholds=str(sample.root / "verdicts/hq/rules.json"))
    filter.run(corpus, settings(sweep_sets(rule_set, COLUMNS, shares=[0.5])))
    return corpus, rule_set


def sets_of(path):
    """The sets of a configuration, as `make filter CONFIG=` reads it."""
    parser = make_parser("filter")
    return parser.instantiate(parser.parse_args(["filter", "--config", str(path)])).filter.sets


def test_filter_reads_what_won_and_keeps_the_same_clips(tmp_path, swept):
    corpus, rule_set = swept
    found = find_arms(corpus.root)
    ratings = [rating("full", 9, 3), rating("flow_bottom_50", 8, 2), rating("area_top_50", 5, 1)]
    write_winner(tmp_path / "rules.yaml", corpus.root, winning_sets(found, ratings))
    sets = sets_of(tmp_path / "rules.yaml")
    singles = [Rule("area", drop_top=0.5), Rule("flow", drop_bottom=0.5, if_null="keep")]
    assert sets == {"ablation_won": rule_set, "ablation_by_score": RuleSet(singles, "exact")}
    filter.run(corpus, settings(sets))
    (full,) = [arm.record for arm in found if arm.name == "full"]
    won, both = (Arm(name, corpus.root / "verdicts" / name).record for name in sets)
    assert (won["kept_hash"], won["resolved"]) == (full["kept_hash"], full["resolved"])
    assert [entry["limit"] for entry in both["resolved"]] == [4.0, 5.0], "of half of these clips, not of the sample"
    assert won["counts"]["kept"] == (4 if rule_set.thresholds else 6)
