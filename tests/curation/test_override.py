import pytest

from curation.override import carry_over, override

WILD = {"column": "motion", "drop_top": 0.1, "name": "wild"}
TEXT = {"column": "text", "min": 1, "if_null": "keep"}
SETS = {
    "hq": {"rules": [{"column": "motion", "min": 0.1}, {"column": "luma", "min": 4, "max": 9, "if_null": "keep"}]},
    "named": {"rules": [{"column": "motion", "max": 1}, WILD]},
    "empty": {},
}


@pytest.mark.parametrize(
    ("assignments", "name", "rules"),
    [
        (["hq.motion.min=0.2"], "hq", [{"column": "motion", "min": 0.2}, SETS["hq"]["rules"][1]]),
        (["hq.motion.min=1e-3"], "hq", [{"column": "motion", "min": 0.001}, SETS["hq"]["rules"][1]]),
        (["hq.luma.max=null"], "hq", [SETS["hq"]["rules"][0], {"column": "luma", "min": 4, "if_null": "keep"}]),
        (["hq.luma.max=null", "hq.luma.min=null"], "hq", [SETS["hq"]["rules"][0]]),
        (["hq.text.max=0.07"], "hq", [*SETS["hq"]["rules"], {"column": "text", "max": 0.07}]),
        (["empty.source.equals=[web, 2023a]"], "empty", [{"column": "source", "equals": ["web", "2023a"]}]),
        (["named.wild.drop_top=0.2"], "named", [SETS["named"]["rules"][0], WILD | {"drop_top": 0.2}]),
        (["hq.text.if_null=keep", "hq.text.min=1"], "hq", [*SETS["hq"]["rules"], TEXT]),
        (["hq.text.min=1", "hq.text.if_null=keep"], "hq", [*SETS["hq"]["rules"], TEXT]),
        (["hq.motion.min=null", "hq.motion.max=2"], "hq", [{"column": "motion", "max": 2}, SETS["hq"]["rules"][1]]),
        (["hq.text.min=1", "hq.text.min=null"], "hq", SETS["hq"]["rules"]),
        (["empty.source.equals='1e3'"], "empty", [{"column": "source", "equals": "1e3"}]),
        (["named.motion.min=0"], "named", [{"column": "motion", "max": 1, "min": 0}, SETS["named"]["rules"][1]]),
    ],
)
def test_a_value_is_replaced_added_or_taken_away(assignments, name, rules):
    changed = override(SETS, assignments)
    assert changed[name]["rules"] == rules
    assert {other: changed[other] for other in SETS if other != name} == {o: SETS[o] for o in SETS if o != name}


def test_settings_of_the_set_itself():
    assert override(SETS, ["hq.duplicates=keep"])["hq"]["duplicates"] == "keep"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("hq.motion.min", "say <set>.<column>.<key>=<value>"),
        ("min=3", "say <set>"),
        ("hq.motion.where.min=3", "say <set>"),
        ("hp.motion.min=3", "no set `hp`; there are hq, named, empty"),
        ("hq.motion.min=[", "is no YAML"),
        ("hq.motoin.if_null=keep", "hq.motoin.if_null=keep: no rule with a bound is called so"),
        ("hq.motoin.max=null", "max=null: there is none; `hq` has motion.min, luma.min, luma.max, luma.if_null$"),
        ("hq.motion.max=null", "there is none; `hq` has motion.min"),
        ("hq.thresholds=null", "there is none; `hq` has motion.min"),
        ("empty.motion.max=null", "there is none; `empty` has none"),
    ],
)
def test_what_makes_no_sense_is_refused(assignment, message):
    with pytest.raises(ValueError, match=message):
        override(SETS, [assignment])


def test_two_rules_of_one_name_are_told_apart_by_what_they_state():
    sets = {"hq": {"rules": [{"column": "motion", "min": 1}, {"column": "motion", "max": 5}]}}
    assert override(sets, ["hq.motion.max=6"])["hq"]["rules"][1] == {"column": "motion", "max": 6}
    with pytest.raises(ValueError, match="2 rules are called `motion`"):
        override(sets, ["hq.motion.if_null=keep"])


def test_thresholds_are_carried_to_the_sets_that_have_shares():
    changed = carry_over(SETS, "/other")
    assert [name for name in changed if "thresholds" in changed[name]] == ["named"]
