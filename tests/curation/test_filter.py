import logging
import random

import numpy as np
import pyarrow as pa
import pytest
from handmade import clip_ids, put_clips, put_dedup, put_scores

from curation import dedup, filter, quantiles
from curation.config import CurateConfig, Rule, RuleSet
from curation.tables import Corpus
from shards.schema import DEDUP
from shards.store import read_json

NAN = float("nan")


def make_corpus(root, flow, parts=1, **dedup_columns):
    """A corpus whose clips have these motion scores; gives it and the ids."""
    corpus, ids = Corpus(root), []
    for part, values in enumerate(np.array_split(np.array(flow, object), parts)):
        mine = put_clips(corpus, part, len(values), first=len(ids))
        put_scores(corpus, part, "motion", mine, flow=list(values))
        put_dedup(corpus, part, mine, **dedup_columns)
        ids += mine
    return corpus, ids


def apply(corpus, *rules, scorers=("motion",), duplicates="best"):
    """Filters with one set `hq`; gives the counts and each clip's reasons."""
    config = CurateConfig(scorers=dict.fromkeys(scorers), sets={"hq": RuleSet(list(rules), duplicates)})
    counts = filter.run(corpus, config)["hq"]
    return counts, corpus.read_all("verdicts/hq")["rejected_by"].to_pylist()


def test_bounds_are_inclusive_and_nulls_and_nans_reject(tmp_path):
    corpus, ids = make_corpus(tmp_path, [1.0, 2.0, 3.0, 4.0, None, NAN])
    counts, reasons = apply(corpus, Rule("flow", min=2, max=3))
    assert reasons == [["flow:min"], [], [], ["flow:max"], ["flow:null"], ["flow:null"]]
    assert counts == {"clips": 6, "kept": 2, "rejected": 4}
    assert corpus.read_all("verdicts/hq")["clip_id"].to_pylist() == ids


def test_a_limit_keeps_the_float32_that_was_stored_for_it(tmp_path):
    corpus, _ = make_corpus(tmp_path, [0.7, 0.1, 0.3])
    assert apply(corpus, Rule("flow", min=0.7))[1] == [[], ["flow:min"], ["flow:min"]]
    assert apply(corpus, Rule("flow", max=0.1))[1] == [["flow:max"], [], ["flow:max"]]


def test_nulls_may_be_kept(tmp_path):
    corpus, _ = make_corpus(tmp_path, [1.0, None, NAN])
    assert apply(corpus, Rule("flow", min=2, if_null="keep"))[1] == [["flow:min"], [], []]


@pytest.mark.parametrize("parts", [1, 3])
def test_quantiles_over_the_whole_set(tmp_path, parts):
    values = [7.0, 3.0, 9.0, 1.0, None, 5.0, 8.0, 2.0, 10.0, 4.0, 6.0]
    corpus, _ = make_corpus(tmp_path, values, parts)
    _, reasons = apply(corpus, Rule("flow", drop_bottom=0.25, drop_top=0.1, if_null="keep"))
    # Ten values: floor(2.5) = 2 go at the bottom (1, 2), floor(1.0) = 1 at the top (10).
    dropped = {value: reason[0] for value, reason in zip(values, reasons, strict=True) if reason}
    assert dropped == {1.0: "flow:drop_bottom", 2.0: "flow:drop_bottom", 10.0: "flow:drop_top"}
    resolved = read_json(tmp_path / "verdicts/hq/rules.json")["resolved"]
    of_flow = {"column": "flow", "made_by": {}}
    assert resolved == [
        {"reason": "flow:drop_bottom", "limit": 3.0, "share": 0.25} | of_flow,
        {"reason": "flow:drop_top", "limit": 9.0, "share": 0.1} | of_flow,
    ]


def test_ties_stay(tmp_path):
    corpus, _ = make_corpus(tmp_path, [1.0, 2.0, 2.0, 2.0, 3.0])
    # k = floor(0.6 * 5) = 3: v[3] = 2, and only 1.0 lies below it.
    assert apply(corpus, Rule("flow", drop_bottom=0.6))[1] == [["flow:drop_bottom"], [], [], [], []]
    assert apply(corpus, Rule("flow", drop_top=0.6))[1] == [[], [], [], [], ["flow:drop_top"]]


def test_quantile_closed_form():
    values = np.random.default_rng(0).permutation(100).astype(np.float32)
    assert quantiles.quantile(values, 0.0) == 0 and quantiles.quantile(values, 0.0, top=True) == 99
    assert quantiles.quantile(values, 0.29) == 29  # 0.29 * 100 is 28.999... in binary
    assert quantiles.quantile(values, 0.125) == 12 and quantiles.quantile(values, 0.125, top=True) == 87
    assert quantiles.quantile(values, 1.0) == 99 and quantiles.quantile(values, 1.0, top=True) == 0
    assert quantiles.quantile(values[:0], 0.5) is None


def test_a_quantile_of_nothing_rejects_nothing_but_nulls(tmp_path):
    corpus, _ = make_corpus(tmp_path, [None, None])
    assert apply(corpus, Rule("flow", drop_bottom=0.5))[1] == [["flow:null"]] * 2


def test_rules_are_independent_and_list_every_reason(tmp_path):
    corpus, ids = make_corpus(tmp_path, [1.0, 2.0, 3.0, 4.0])
    put_scores(corpus, 0, "text", ids, area=[0.9, 0.1, None, 0.2])
    rules = [Rule("flow", drop_bottom=0.5), Rule("area", max=0.5), Rule("width", min=1000)]
    _, reasons = apply(corpus, *rules, scorers=["motion", "text"])
    assert reasons[0] == ["flow:drop_bottom", "area:max", "width:min"]
    assert reasons[1:] == [["flow:drop_bottom", "width:min"], ["area:null", "width:min"], ["width:min"]]


def test_two_rules_on_one_column_give_one_null_reason(tmp_path):
    corpus, _ = make_corpus(tmp_path, [None, 1.0, 5.0])
    _, reasons = apply(corpus, Rule("flow", min=2), Rule("flow", drop_top=0.5))
    assert reasons == [["flow:null"], ["flow:min"], ["flow:drop_top"]]


def test_truth_values_and_whole_numbers(tmp_path):
    corpus, ids = make_corpus(tmp_path, [1.0] * 3)
    put_scores(corpus, 0, "logo", ids, has_logo=pa.array([True, False, None]), boxes=pa.array([1, 0, None], pa.int32()))
    _, reasons = apply(corpus, Rule("has_logo", max=0), Rule("boxes", max=0, if_null="keep"), scorers=["logo"])
    assert reasons == [["has_logo:max", "boxes:max"], [], ["has_logo:null"]]


GROUPS = {"groups": ["g", "g", "g", "h", "h", None], "ranks": [0, 1, 2, 1, 0, None]}


def test_the_best_that_passes_is_kept_of_each_group(tmp_path):
    corpus, _ = make_corpus(tmp_path, [1.0, 9.0, 9.0, 9.0, 9.0, 9.0], **GROUPS)
    _, reasons = apply(corpus, Rule("flow", min=5))
    # The best of g fails a rule, so the second-best stays; the reasons of the best are complete.
    assert reasons == [["flow:min", "duplicate"], [], ["duplicate"], ["duplicate"], [], []]


def test_a_group_without_survivor_has_no_duplicates(tmp_path):
    corpus, _ = make_corpus(tmp_path, [1.0, 1.0, 1.0, 9.0, 1.0, 9.0], **GROUPS)
    _, reasons = apply(corpus, Rule("flow", min=5))
    assert reasons == [["flow:min"]] * 3 + [[], ["flow:min", "duplicate"], []]


def test_duplicates_may_be_kept(tmp_path):
    corpus, _ = make_corpus(tmp_path, [9.0] * 6, **GROUPS)
    assert apply(corpus, duplicates="keep")[1] == [[]] * 6
    assert apply(corpus)[0] == {"clips": 6, "kept": 3, "rejected": 3}


def test_a_set_chooses_what_counts_as_a_duplicate(tmp_path):
    corpus, ids = make_corpus(tmp_path, [9.0] * 4)
    rows = {name: [None] * 4 for name in DEDUP.names} | {"clip_id": ids}
    for kind, size in (("exact", 2), ("perceptual", 3), ("duplicate", 4)):  # each kind has one clip more
        rows |= {f"{kind}_group": (["g"] * size + [None] * 4)[:4], f"{kind}_rank": ([*range(size)] + [None] * 4)[:4]}
    corpus.write("scores/dedup", "part-00000", pa.table([rows[n] for n in DEDUP.names], schema=DEDUP), DEDUP)
    for duplicates, copies in (("exact", 1), ("perceptual", 2), ("best", 3), ("keep", 0)):
        assert apply(corpus, duplicates=duplicates)[1] == [[]] + [["duplicate"]] * copies + [[]] * (3 - copies)


def test_what_is_written_beside_the_verdicts(tmp_path):
    corpus, _ = make_corpus(tmp_path, [1.0, 2.0, None, 9.0, 9.0, 9.0], **GROUPS)
    apply(corpus, Rule("flow", min=5))
    record = read_json(tmp_path / "verdicts/hq/rules.json")
    assert record["counts"] == {"clips": 6, "kept": 2, "rejected": 4}
    assert record["reasons"] == {
        "flow:min": {"clips": 2, "alone": 2},
        "flow:null": {"clips": 1, "alone": 1},
        "duplicate": {"clips": 1, "alone": 1},
    }
    assert record["rules"][0]["column"] == "flow" and len(record["config_hash"]) == 16


def test_only_the_set_that_is_written_is_replaced(tmp_path):
    corpus, _ = make_corpus(tmp_path, [1.0])
    for name in ("hq", "other"):
        stale = corpus.path(f"verdicts/{name}", "part-00077")
        stale.parent.mkdir(parents=True)
        stale.touch()
    apply(corpus)
    assert corpus.parts("verdicts/hq") == ["part-00000"]
    assert corpus.parts("verdicts/other") == ["part-00077"]


def test_a_set_that_keeps_nothing_and_missing_values_are_said_loudly(tmp_path, caplog):
    corpus, _ = make_corpus(tmp_path, [1.0, None, None])
    with caplog.at_level(logging.WARNING):
        apply(corpus, Rule("flow", min=5))
    assert "KEEPS NOTHING of 3 clips" in caplog.text
    assert "`flow` is MISSING for 2 of 3 clips" in caplog.text


def test_no_clips_at_all(tmp_path):
    corpus, _ = make_corpus(tmp_path, [])
    assert apply(corpus, Rule("flow", drop_bottom=0.5)) == ({"clips": 0, "kept": 0, "rejected": 0}, [])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule("flow"), "rule on `flow`: it has no bound"),
        (Rule("flow", drop_bottom=1.5), r"lies in 0..1.*\[1.5\]"),
        (Rule("flow", drop_top=-0.1), "lies in 0..1"),
        (Rule("flow", drop_bottom=0.7, drop_top=0.7), "both sides together"),
        (Rule("flow", min=3, max=2), "min 3 is above max 2"),
        (Rule("flow", min=NAN), "not a number"),
        (Rule("flwo", min=3), "no such column; there are flow, .*duplicate_rank"),
        (Rule("clip_id", min=3), "min is for numbers, and `clip_id` is string; there are .*flow"),
    ],
)
def test_rules_that_make_no_sense_are_refused_before_anything_is_written(tmp_path, rule, message):
    corpus, _ = make_corpus(tmp_path, [1.0])
    with pytest.raises(ValueError, match=f"sets.hq: .*{message}"):
        apply(corpus, Rule("flow", min=0), rule)
    assert not corpus.folder("verdicts").exists()


def test_one_bound_stated_twice_is_refused(tmp_path):
    corpus, _ = make_corpus(tmp_path, [1.0])
    with pytest.raises(ValueError, match=r"sets.hq: 2 rules state `min` for `flow`"):
        apply(corpus, Rule("flow", min=0), Rule("flow", min=1))


def test_a_score_table_that_does_not_mirror_is_refused(tmp_path):
    corpus, _ = make_corpus(tmp_path, [1.0, 2.0])
    put_scores(corpus, 0, "motion", clip_ids(2)[::-1], flow=[1.0, 2.0])
    with pytest.raises(ValueError, match="does not mirror"):
        apply(corpus, Rule("flow", min=0))
    assert not corpus.folder("verdicts").exists()


@pytest.mark.parametrize("seed", range(8))
def test_kept_and_rejected_are_all_clips_and_every_rejected_one_has_a_reason(tmp_path, seed):
    rng = random.Random(seed)
    corpus, scores = Corpus(tmp_path), {}
    for part in range(4):
        size = rng.randrange(30)
        ids = put_clips(
            corpus, part, size, first=100 * part, content_hash=[f"{rng.randrange(30):x}" for _ in range(size)]
        )
        flow = [rng.choice([None, NAN, *map(float, range(10))]) for _ in ids]
        put_scores(corpus, part, "motion", ids, flow=flow)
        scores |= dict(zip(ids, flow, strict=True))
    dedup.run(corpus)
    share = rng.choice([0.0, 0.1, 0.25, 0.5])
    counts, reasons = apply(corpus, Rule("flow", drop_bottom=share, max=8, if_null=rng.choice(["reject", "keep"])))
    kept = [clip for clip, why in zip(scores, reasons, strict=True) if not why]
    assert counts["clips"] == counts["kept"] + counts["rejected"] == len(scores)
    assert counts["kept"] == len(kept)
    groups = {row["clip_id"]: row["duplicate_group"] for row in corpus.read_all("scores/dedup").to_pylist()}
    of_kept = [groups[clip] for clip in kept if groups[clip]]
    assert len(of_kept) == len(set(of_kept))
    present = [value for value in scores.values() if value is not None and value == value]
    assert sum("flow:drop_bottom" in why for why in reasons) <= share * len(present)
    for why, (clip, value) in zip(reasons, scores.items(), strict=True):
        assert ("flow:max" in why) == (value == 9.0)
        assert len(why) == len(set(why))
        assert "duplicate" not in why or groups[clip] in of_kept


def test_equal_input_gives_equal_bytes(tmp_path):
    written = []
    for root in (tmp_path / "a", tmp_path / "b"):
        corpus, _ = make_corpus(root, [1.0, 9.0, None, 9.0, 9.0, 9.0], **GROUPS)
        apply(corpus, Rule("flow", drop_bottom=0.25))
        written.append([path.read_bytes() for path in sorted((root / "verdicts/hq").iterdir())])
    assert written[0] == written[1]
