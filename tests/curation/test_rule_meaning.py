"""What rules mean, against a literal reading of them: clip by clip, in plain Python, over rule sets drawn at random."""

import math
import random
from fractions import Fraction

import pyarrow as pa
import pytest
from handmade import put_clips, put_dedup, put_scores, put_videos

from curation import filter, quantiles
from curation.config import Bucket, CurateConfig, PackConfig, RuleSet
from curation.dedup import spare_rows
from curation.quantiles import population
from curation.rule import Condition, Rule
from curation.tables import Corpus, part_name
from shards.schema import INPUTS
from shards.store import read_json

NAN = float("nan")
SOURCES = ["web", "films", "phones", None]
VIDEOS = [f"{number:020x}" for number in range(6)]


def put(corpus, part, flow, area, label, source):
    """A part of clips with two scores, a text that a scorer wrote, and the source that the user's table names."""
    video_ids = [VIDEOS[SOURCES.index(each)] for each in source]
    ids = put_clips(corpus, part, len(flow), first=1000 * part, video_id=video_ids)
    put_scores(corpus, part, "motion", ids, flow=flow, label=pa.array(label, pa.string()))
    put_scores(corpus, part, "text", ids, area=area, boxes=pa.array([len(s or "") for s in source], pa.int32()))
    put_dedup(corpus, part, ids)
    rows = [{"path": f"/{v}", "size_bytes": 1, "video_id": v, "source": s} for s, v in zip(SOURCES, VIDEOS)]  # noqa: B905
    schema = INPUTS.append(pa.field("source", pa.string()))
    corpus.write("inputs", part_name(part), pa.Table.from_pylist(rows, schema=schema), schema)
    put_videos(corpus, part, [{"video_id": v, "path": f"/{v}"} for v in VIDEOS])
    return ids


def made(root, seed=0, sizes=(17, 0, 30)):
    """A corpus at random with many ties and missing values; and its clips as dicts."""
    rng, corpus, clips = random.Random(seed), Corpus(root), []
    for part, size in enumerate(sizes):
        columns = {
            "flow": [rng.choice([None, NAN, *map(float, range(8))]) for _ in range(size)],
            "area": [rng.choice([None, rng.random()]) for _ in range(size)],
            "label": [rng.choice(["a", "b", None]) for _ in range(size)],
            "source": [rng.choice(SOURCES) for _ in range(size)],
        }
        put(corpus, part, **columns)
        clips += [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for clip in clips:
        clip["boxes"] = len(clip["source"] or "")
        clip["area"] = clip["area"] if clip["area"] is None else pa.scalar(clip["area"], pa.float32()).as_py()
    return corpus, clips


def apply(corpus, *rules, **settings):
    """Each clip's reasons."""
    config = CurateConfig(scorers={"motion": None, "text": None}, sets={"hq": RuleSet(list(rules), **settings)})
    filter.run(corpus, config)
    return corpus.read_all("verdicts/hq")["rejected_by"].to_pylist()


def is_missing(value):
    return value is None or (isinstance(value, float) and math.isnan(value))


def meets(clip, condition):
    value = clip[condition.column]
    if is_missing(value):
        return bool(condition.is_null)
    wanted = condition.equals if isinstance(condition.equals, list) else [condition.equals]
    return (
        not condition.is_null
        and (condition.min is None or value >= condition.min)
        and (condition.max is None or value <= condition.max)
        and (condition.equals is None or value in wanted)
    )


def literally(clips, rules):
    """What DESIGN and the docs say, read aloud."""
    reasons = [[] for _ in clips]
    for rule in rules:
        label = rule.name or rule.column
        spoken_of = [i for i, clip in enumerate(clips) if rule.where is None or meets(clip, rule.where)]
        for i in spoken_of:
            value = clips[i][rule.column]
            of_group = [
                clips[j][rule.column]
                for j in spoken_of
                if (rule.by is None or clips[j][rule.by] == clips[i][rule.by]) and not is_missing(clips[j][rule.column])
            ]
            if is_missing(value):
                if rule.is_null is False or (rule.if_null == "reject" and rule.is_null is None):
                    reasons[i].append(f"{label}:null")
                continue
            wanted = rule.equals if isinstance(rule.equals, list) else [rule.equals]
            below = Fraction(str(rule.drop_bottom or 0)) * len(of_group)
            above = Fraction(str(rule.drop_top or 0)) * len(of_group)
            fails = {
                "min": rule.min is not None and value < rule.min,
                "max": rule.max is not None and value > rule.max,
                # dropped are those of which at least so many are no smaller: the share's end and its ties stay
                "drop_bottom": rule.drop_bottom is not None and sum(v <= value for v in of_group) <= below,
                "drop_top": rule.drop_top is not None and sum(v >= value for v in of_group) <= above,
                "equals": rule.equals is not None and value not in wanted,
                "is_null": rule.is_null is True,
            }
            reasons[i] += [f"{label}:{kind}" for kind, failed in fails.items() if failed]
    return [sorted(set(found)) for found in reasons]


def draw(rng, number):
    """A rule at random; each bears a name of its own, but for the first."""
    wheres = [
        None,
        Condition("source", equals=["web", "films"]),
        Condition("area", min=0.3),
        Condition("flow", is_null=True),
    ]
    bounds = {"min": 3.0, "max": 5.0, "drop_bottom": 0.3, "drop_top": 0.25}
    column = rng.choice(["flow", "area"])
    chosen = {key: bounds[key] for key in rng.sample(sorted(bounds), rng.randint(1, 4))}
    by = rng.choice([None, "source", "label", "boxes"]) if chosen.keys() & {"drop_bottom", "drop_top"} else None
    if rng.random() < 0.3:
        column, by = rng.choice(["label", "source"]), None
        chosen = rng.choice([{"equals": "a"}, {"equals": ["b", "web"]}, {"is_null": True}, {"is_null": False}])
    if_null = "reject" if "is_null" in chosen else rng.choice(["reject", "keep"])
    name = f"rule_{number}" if number else None
    return Rule(column, **chosen, if_null=if_null, where=rng.choice(wheres), by=by, name=name)


@pytest.mark.parametrize("seed", range(40))
def test_rules_mean_what_they_say(tmp_path, seed):
    rng = random.Random(seed)
    corpus, clips = made(tmp_path, seed)
    rules = [draw(rng, number) for number in range(rng.randint(1, 6))]
    assert [sorted(found) for found in apply(corpus, *rules)] == literally(clips, rules)


def test_groups_have_numbers_of_their_own_and_clips_without_a_group_share_one(tmp_path):
    corpus = Corpus(tmp_path)
    put(
        corpus,
        0,
        [1.0, 2.0, 3.0, 4.0, 10.0, 20.0, 30.0, 40.0, 5.0],
        [None] * 9,
        ["a"] * 9,
        ["web"] * 4 + ["films"] * 4 + [None],
    )
    reasons = apply(corpus, Rule("flow", drop_bottom=0.5, by="source"))
    assert [bool(found) for found in reasons] == [True, True, False, False, True, True, False, False, False]
    (told,) = read_json(tmp_path / "verdicts/hq/rules.json")["resolved"]
    groups = [{"group": g, "limit": v} for g, v in (("web", 3.0), ("films", 30.0), (None, 5.0))]
    assert told == {
        "reason": "flow:drop_bottom",
        "column": "flow",
        "made_by": {},
        "limit": None,
        "share": 0.5,
        "by": "source",
        "groups": groups,
    }


def test_clips_of_a_bucket_are_a_group(tmp_path):
    corpus = Corpus(tmp_path)
    ids = put_clips(corpus, 0, 6, width=[640] * 3 + [320] * 3, height=[360] * 3 + [180] * 3)
    put_scores(corpus, 0, "motion", ids, flow=[1.0, 2.0, 3.0, 10.0, 20.0, 30.0])
    put_dedup(corpus, 0, ids)
    pack = PackConfig(buckets=[Bucket(8, 640, 360, 8.0), Bucket(8, 320, 180, 8.0)])
    rules = [Rule("flow", drop_bottom=0.34, by="bucket"), Rule("bucket", equals="8x360x640@8")]
    filter.run(corpus, CurateConfig(scorers={"motion": None}, pack=pack, sets={"hq": RuleSet(rules)}))
    reasons = corpus.read_all("verdicts/hq")["rejected_by"].to_pylist()
    low, small = "flow:drop_bottom", "bucket:equals"
    assert reasons == [[low], [], [], [low, small], [small], [small]]


def test_names_tell_rules_on_one_column_apart(tmp_path):
    corpus, _ = made(tmp_path)
    web, films = (Condition("source", equals=source) for source in ("web", "films"))
    with pytest.raises(ValueError, match=r"2 rules state `min` for `flow`; keep one, or name one"):
        apply(corpus, Rule("flow", min=2, where=web), Rule("flow", min=4, where=films))
    apply(corpus, Rule("flow", min=2, where=web), Rule("flow", min=4, where=films, name="calm_films"))
    record = read_json(tmp_path / "verdicts/hq/rules.json")
    assert [told["reason"] for told in record["resolved"]] == ["flow:min", "calm_films:min"]
    assert record["resolved"][1]["where"] == {"column": "source", "equals": "films"}
    assert record["rules"][1]["name"] == "calm_films"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule("flow", equals="fast"), "equals 'fast' is not of the type of `flow`, float"),
        (Rule("label", equals=3), "equals 3 is not of the type of `label`, string"),
        (Rule("label", equals=[]), "equals names no value"),
        (Rule("label", min=3), "min is for numbers, and `label` is string; there are .*flow"),
        (Rule("flow", min=3, is_null=True), "`is_null: true` wants no value"),
        (Rule("flow", min=math.inf), "a bound is infinite"),
        (Rule("flow", min=1, where=Condition("area", max=-math.inf)), "`where`: a bound is infinite"),
        (Rule("flow", equals=math.inf), "equals inf is no number"),
        (Rule("flow", is_null=False, if_null="keep"), "`is_null: false` rejects what `if_null: keep` keeps"),
        (Rule("flow", min=3, by="source"), "by: is for shares"),
        (
            Rule("flow", drop_top=0.5, by="area"),
            "by: `area` is float; it takes texts or whole numbers; there are .*source",
        ),
        (Rule("flow", drop_top=0.5, by="sourc"), "by: `sourc` is no column; .*there are source"),
        (Rule("flow", min=1, where=Condition("labl", equals="a")), "`where`: no such column; there are label"),
        (Rule("flow", min=1, where=Condition("label")), "`where` has no bound"),
        (Rule("flow", min=1, name="no good"), "its name `no good` must be letters, digits and underscores"),
    ],
)
def test_rules_that_make_no_sense(tmp_path, rule, message):
    corpus, _ = made(tmp_path)
    with pytest.raises(ValueError, match=f"sets.hq: rule on `{rule.column}`: {message}"):
        apply(corpus, rule, Rule("source", is_null=False))
    assert not corpus.folder("verdicts").exists()


def test_a_where_that_nobody_meets_and_a_rule_that_keeps_nothing_are_said_aloud(tmp_path, caplog):
    corpus, _ = made(tmp_path)
    apply(corpus, Rule("area", max=0.5, if_null="keep", where=Condition("source", equals="wbe")), Rule("flow", min=99))
    assert "the `where` of `area` is met by NONE of 47 clips" in caplog.text
    assert "the rule on `flow` ALONE KEEPS NOTHING" in caplog.text and "`area` ALONE" not in caplog.text


def test_what_is_missing_is_counted_of_the_clips_that_each_rule_speaks_of(tmp_path, caplog):
    corpus = Corpus(tmp_path)
    put(corpus, 0, [1.0] * 7 + [None] * 3, [1.0] * 10, ["a"] * 10, ["web"] * 6 + ["films"] * 4)
    web, films, phones = (Condition("source", equals=source) for source in ("web", "films", "phones"))
    rules = [Rule("flow", min=0, where=films), Rule("flow", max=9, where=web), Rule("flow", drop_top=0.1, where=phones)]
    apply(corpus, *rules)  # three rules of one label
    assert [record.getMessage() for record in caplog.records] == [
        "set hq: `flow` is MISSING for 3 of 4 clips that the `where` of `flow` selects",
        "set hq: the `where` of `flow` is met by NONE of 10 clips",
    ]


def test_sets_share_what_they_read_and_hold(tmp_path, monkeypatch):
    corpus, size = Corpus(tmp_path), 2000
    for part in range(2):
        ids = put_clips(corpus, part, size, first=size * part)
        put_scores(corpus, part, "motion", ids, flow=[float(k) for k in range(size)])
        put_dedup(corpus, part, ids, [f"{k // 2:020d}" for k in range(size)], [k % 2 for k in range(size)])
    reads, held = [], []

    def counting(columns, rule, each):
        reads.append(rule.column)
        return population(columns, rule, each)

    def weighing(members):
        held.append(pa.total_allocated_bytes())
        return spare_rows(members)

    monkeypatch.setattr(quantiles, "population", counting)
    monkeypatch.setattr(filter, "spare_rows", weighing)
    most = []
    for number in (1, 12):
        sets = {f"s{k}": RuleSet([Rule("flow", drop_bottom=(k + 1) / 20)]) for k in range(number)}
        before = pa.total_allocated_bytes()
        filter.run(corpus, CurateConfig(scorers={"motion": None}, sets=sets))
        most.append(max(held) - before)
    assert reads == ["flow", "flow"], "once for each run"
    assert most[1] < 2 * most[0]
