import json

import pytest
from handmade import clip_ids, put_clips, put_dedup, put_scores
from test_rule_meaning import apply, made, put

from curation.rule import Condition, Rule
from curation.tables import Corpus
from shards.store import read_json, write_json

WEB = Condition("source", equals="web")
RULES = [
    Rule("flow", drop_bottom=0.25, if_null="keep"),
    Rule("area", drop_top=0.25, by="source", if_null="keep"),
    Rule("area", drop_bottom=0.1, where=WEB, name="web_area", if_null="keep"),
]


@pytest.fixture
def chosen(tmp_path):
    """A corpus on which thresholds were chosen; gives its folder and what the rules resolved to."""
    corpus, _ = made(tmp_path / "sample", seed=1)
    apply(corpus, *RULES)
    return corpus.root, read_json(corpus.root / "verdicts/hq/rules.json")


def other(root):
    """Another corpus, whose own shares would resolve otherwise."""
    corpus = Corpus(root)
    put(corpus, 0, [0.0, 1.0, 7.0, 7.0], [0.0, 0.5, 0.99, 0.2], ["a"] * 4, ["web", "web", "films", "phones"])
    return corpus


@pytest.mark.parametrize("name", ["", "verdicts/hq/rules.json"])
def test_shares_take_the_numbers_of_the_other_corpus(tmp_path, chosen, name):
    folder, record = chosen
    corpus = other(tmp_path / "all")
    reasons = apply(corpus, *RULES, thresholds=str(folder / name))
    mine = read_json(corpus.root / "verdicts/hq/rules.json")
    assert mine["resolved"] == record["resolved"]
    assert mine["thresholds"] == {
        "from": str(folder / "verdicts/hq/rules.json"),
        "config_hash": record["config_hash"],
        "kept_hash": record["kept_hash"],
    }
    limits = {told["reason"]: told for told in record["resolved"]}
    flow, top = limits["flow:drop_bottom"]["limit"], limits["area:drop_top"]["groups"]
    of_source = {entry["group"]: entry["limit"] for entry in top}
    expected = [[] for _ in range(4)]
    for i, (f, a, s) in enumerate([(0.0, 0.0, "web"), (1.0, 0.5, "web"), (7.0, 0.99, "films"), (7.0, 0.2, "phones")]):
        expected[i] += ["flow:drop_bottom"] * (f < flow) + ["area:drop_top"] * (a > of_source[s])
        expected[i] += ["web_area:drop_bottom"] * (s == "web" and a < limits["web_area:drop_bottom"]["limit"])
    assert reasons == expected and any(expected)
    assert reasons != apply(corpus, *RULES), "by its own shares it comes out otherwise"


def test_the_hash_tells_which_numbers_were_taken_and_not_where_they_lay(tmp_path, chosen):
    folder, record = chosen
    corpus = other(tmp_path / "all")

    def hash_with(source):
        apply(corpus, *RULES, thresholds=str(source))
        return read_json(corpus.root / "verdicts/hq/rules.json")["config_hash"]

    write_json(tmp_path / "moved.json", record)
    assert hash_with(folder) == hash_with(tmp_path / "moved.json")
    record["resolved"][0]["limit"] += 1
    write_json(tmp_path / "moved.json", record)
    assert hash_with(folder) != hash_with(tmp_path / "moved.json")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            Rule("area", drop_bottom=0.5, name="new"),
            "has no number for new:drop_bottom; it has flow:drop_bottom, area:dro",
        ),
        (Rule("flow", drop_bottom=0.5), "has flow:drop_bottom with share: 0.25, and this set says 0.5"),
        (Rule("flow", drop_bottom=0.25, by="source"), "has flow:drop_bottom with by: None, and this set says source"),
        (
            Rule("flow", drop_bottom=0.25, where=WEB),
            "has flow:drop_bottom with where: None, and this set says {'column': 'source'",
        ),
    ],
)
def test_a_rule_without_a_number_there_is_refused(tmp_path, chosen, rule, message):
    corpus = other(tmp_path / "all")
    with pytest.raises(ValueError, match=f"sets.hq: .*rules.json {message}"):
        apply(corpus, rule, Rule("source", is_null=False), thresholds=str(chosen[0]))
    assert not corpus.folder("verdicts").exists()


def test_a_group_without_a_number_there_is_refused(tmp_path, chosen):
    folder, record = chosen
    for told in record["resolved"]:
        told["groups"] = [entry for entry in told.get("groups", []) if entry["group"] != "phones"]
    write_json(folder / "verdicts/hq/rules.json", record)
    with pytest.raises(ValueError, match="has no number for the group source='phones' of `area`"):
        apply(other(tmp_path / "all"), *RULES, thresholds=str(folder))


def test_a_number_found_on_another_column_is_refused(tmp_path):
    sample, _ = made(tmp_path / "sample")
    apply(sample, Rule("area", drop_bottom=0.5, name="main"))
    message = r"has main:drop_bottom on the column area, and this set on flow; rename one"
    with pytest.raises(ValueError, match=message):
        apply(other(tmp_path / "all"), Rule("flow", drop_bottom=0.5, name="main"), thresholds=str(sample.root))


@pytest.mark.parametrize(
    "rule", [Rule("flow", drop_bottom=0.5), Rule("area", drop_top=0.5, where=Condition("flow", min=0))]
)
def test_a_number_found_with_other_weights_is_refused(tmp_path, rule):
    sample, corpus = made(tmp_path / "sample")[0], other(tmp_path / "all")
    folder = str(sample.root)
    for each in (sample, corpus):
        write_json(each.folder("scores/motion") / "config.json", {"hash": "one"})
    apply(sample, rule)
    apply(corpus, rule, thresholds=folder)
    write_json(corpus.folder("scores/motion") / "config.json", {"hash": "two"})
    with pytest.raises(ValueError, match=r"`flow` was made with .*: one there, two here .*Score both corpora alike"):
        apply(corpus, rule, thresholds=folder)
    (corpus.folder("scores/motion") / "config.json").unlink()
    with pytest.raises(ValueError, match=r"one there, an unknown one here"):
        apply(corpus, rule, thresholds=folder)


@pytest.mark.parametrize("key", ["column", "made_by"])
def test_numbers_of_an_older_version_are_refused(tmp_path, chosen, key):
    folder, record = chosen
    for told in record["resolved"]:
        del told[key]
    write_json(folder / "verdicts/hq/rules.json", record)
    with pytest.raises(ValueError, match=r"it is of an older version. Run JOB=filter on that corpus again"):
        apply(other(tmp_path / "all"), *RULES, thresholds=str(folder))


def test_an_infinite_quantile_is_json_and_carried(tmp_path):
    corpus, infinite = Corpus(tmp_path), float("inf")
    put(corpus, 0, [infinite, infinite, 1.0], [-infinite, -infinite, 1.0], ["a"] * 3, ["web"] * 3)
    rules = [Rule("flow", drop_bottom=0.5), Rule("area", drop_top=0.5, by="source")]
    expected = apply(corpus, *rules)
    assert expected == [[], [], ["flow:drop_bottom", "area:drop_top"]]
    text = (tmp_path / "verdicts/hq/rules.json").read_text()

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    flow, area = json.loads(text, parse_constant=refuse)["resolved"]
    assert flow["limit"] == "Infinity" and area["groups"] == [{"group": "web", "limit": "-Infinity"}]
    assert apply(corpus, *rules, thresholds=str(tmp_path)) == expected


def test_where_there_is_nothing_to_take(tmp_path):
    corpus = Corpus(tmp_path / "bare")
    put_dedup(corpus, 0, put_clips(corpus, 0, 2))
    for name in ("motion", "text"):
        put_scores(corpus, 0, name, clip_ids(2), **{f"of_{name}": [1.0, 2.0]})
    rule = Rule("of_motion", drop_top=0.5)
    with pytest.raises(ValueError, match=r"there is no .*nowhere/verdicts/hq/rules.json; filter that corpus first"):
        apply(corpus, rule, thresholds=str(tmp_path / "nowhere"))
    write_json(tmp_path / "odd.json", {})
    with pytest.raises(ValueError, match=r"odd.json holds no resolved thresholds"):
        apply(corpus, rule, thresholds=str(tmp_path / "odd.json"))
