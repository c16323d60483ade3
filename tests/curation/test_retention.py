from handmade import put_clips, put_dedup, put_scores

from curation import filter
from curation.config import CurateConfig, RuleSet
from curation.retention import Amount, costs, render
from curation.rule import Condition, Rule
from curation.tables import Corpus


def judged(root, *rules, block_list=None):
    """Eight clips of one to eight seconds, the last two of one kind; judged without writing."""
    corpus = Corpus(root)
    ids = put_clips(corpus, 0, 8, duration_s=[float(i + 1) for i in range(8)])
    put_scores(corpus, 0, "motion", ids, flow=[float(i) for i in range(8)], area=[0.9, 0.9] + [0.1] * 5 + [None])
    put_dedup(corpus, 0, ids, groups=[None] * 6 + ["g", "g"], ranks=[None] * 6 + [0, 1])
    config = CurateConfig(scorers={"motion": None}, sets={"hq": RuleSet(list(rules))}, block_list=block_list)
    return filter.judge_sets(corpus, config, write=False)["hq"]


RULES = (Rule("flow", min=1, drop_bottom=0.25), Rule("area", max=0.5))


def test_what_each_rule_costs_by_itself_in_sequence_and_alone(tmp_path):
    flow, area, duplicate = costs(RULES, judged(tmp_path, *RULES).summary)
    # by hand: `flow` rejects clips 0 and 1, `area` 0, 1 and the null of 7, which is also a spare duplicate
    assert flow.what == "flow min 1, drop_bottom 0.25 (2)"
    assert (flow.by_itself, flow.left, flow.only) == (Amount(2, 3.0), Amount(6, 33.0), Amount(0, 0.0))
    assert (area.by_itself, area.left, area.only) == (Amount(3, 11.0), Amount(5, 25.0), Amount(0, 0.0))
    assert (duplicate.by_itself, duplicate.left, duplicate.only) == (Amount(1, 8.0), Amount(5, 25.0), Amount(0, 0.0))


def test_a_rule_that_is_the_only_reason(tmp_path):
    rules = (Rule("flow", min=3, where=Condition("area", max=0.5)), Rule("area", max=0.5, if_null="keep"))
    flow, area, duplicate = costs(rules, judged(tmp_path, *rules).summary)
    assert (flow.only, area.only, duplicate.only) == (Amount(1, 3.0), Amount(2, 3.0), Amount(1, 8.0))
    assert flow.what == "flow min 3, where area max 0.5"


def test_the_block_list_has_a_line_of_its_own(tmp_path):
    clip_id = put_clips(Corpus(tmp_path / "other"), 0, 1)[0]
    (tmp_path / "blocked.txt").write_text(clip_id)
    blocked = costs((), judged(tmp_path, block_list=str(tmp_path / "blocked.txt")).summary)[0]
    assert (blocked.what, blocked.by_itself) == ("blocked", Amount(1, 1.0))


def test_the_text_ends_with_what_is_kept_and_nothing_is_written(tmp_path):
    text = render("hq", RULES, judged(tmp_path, *RULES).summary)
    assert text.splitlines()[0] == "filter hq: 8 clips (36.0 s)"
    assert text.splitlines()[-1] == "  kept: 5 (25.0 s), 62.5% of the clips"
    assert len({len(line) for line in text.splitlines()[1:-1]}) == 1, "columns stand below each other"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clips", "scores"]


def test_no_clip_at_all(tmp_path):
    corpus = Corpus(tmp_path)
    config = CurateConfig(sets={"hq": RuleSet([])})
    put_dedup(corpus, 0, put_clips(corpus, 0, 0))
    summary = filter.judge_sets(corpus, config, write=False)["hq"].summary
    assert "kept: 0 (0.0 s)" in render("hq", [], summary)
