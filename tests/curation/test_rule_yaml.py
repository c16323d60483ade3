"""Rules out of YAML files and of --set, into verdicts, `rules.json` and the configuration that the corpus remembers."""

import json

import pyarrow as pa
import pytest
from handmade import put_clips, put_scores, put_videos

from curation import dedup
from curation.__main__ import main, make_parser
from curation.rule import Condition, Rule
from curation.rule_yaml import rule_of
from curation.tables import Corpus, part_name
from shards.schema import INPUTS
from shards.store import read_json

SOURCES = ["001", "1", "2023", "no", "null", "1e3", None]
SCORERS = "scorers: {motion: {class_path: curation.scorers.motion.Motion}}\n"
LOOKS_ELSE = ["001", "2023", "no", "null", "1e3"]


@pytest.fixture
def corpus(tmp_path):
    """Seven clips, and a text, a whole number and a truth value that the user's table tells of each one's video."""
    corpus, videos = Corpus(tmp_path / "corpus"), [f"{number:020x}" for number in range(7)]
    ids = put_clips(corpus, 0, 7, video_id=videos)
    put_scores(corpus, 0, "motion", ids, motion=[k / 2 for k in range(7)])
    dedup.run(corpus)
    put_videos(corpus, 0, [{"video_id": video, "path": f"/{video}"} for video in videos])
    told = {"source": SOURCES, "count": range(7), "flag": [True, False, True, False, True, False, None]}
    rows = [dict(zip(told, values, strict=True)) for values in zip(*told.values(), strict=True)]
    rows = [{"path": f"/{video}", "size_bytes": 1, **row} for video, row in zip(videos, rows, strict=True)]
    schema = pa.schema([*INPUTS, ("source", pa.string()), ("count", pa.int32()), ("flag", pa.bool_())])
    corpus.write("inputs", part_name(0), pa.Table.from_pylist(rows, schema=schema), schema)
    return corpus


def kept(corpus, rule: str, *arguments: str) -> list:
    """What the clips are called that a rule keeps, after it went through a file, the verdicts, and the file again."""
    (corpus.root / "config.yaml").write_text(f"{SCORERS}sets: {{hq: {{rules: [{rule}]}}}}")
    found = []
    for again in (arguments, ()):
        assert main(["filter", "--out", str(corpus.root), *again]) == 0
        verdicts = corpus.read_all("verdicts/hq")["rejected_by"].to_pylist()
        record = read_json(corpus.folder("verdicts/hq") / "rules.json")
        found.append(([source for source, reasons in zip(SOURCES, verdicts, strict=True) if not reasons], record))
    assert found[0] == found[1], "the remembered configuration says the same"
    return found[0][0]


@pytest.mark.parametrize("source", LOOKS_ELSE)
def test_a_text_that_looks_like_something_else_is_found(corpus, source):
    rule = f"{{column: source, equals: '{source}'}}"
    assert kept(corpus, rule) == [source]
    record = read_json(corpus.folder("verdicts/hq") / "rules.json")
    assert record["rules"] == [{"column": "source", "equals": source}] and record["resolved"][0]["equals"] == [source]
    assert rule_of(json.loads(json.dumps(record["rules"][0]))) == Rule("source", equals=source)
    where = f"{{column: motion, max: -1, where: {{column: source, equals: '{source}'}}}}"
    assert kept(corpus, where) == [other for other in SOURCES if other != source]


@pytest.mark.parametrize("source", [*LOOKS_ELSE[:3], "'null'", "1e3"])
def test_so_it_is_by_set_without_quotes_but_for_null(corpus, source):
    found = kept(corpus, "{column: motion, min: 0}", "--set", f"hq.source.equals={source}")
    assert found == [source.strip("'")]


@pytest.mark.parametrize(
    ("column", "equals", "found"),
    [
        ("source", "['001', 'no']", ["001", "no"]),
        ("source", "[web, '2023']", ["2023"]),
        ("count", "2", ["2023"]),
        ("count", "[0, 2]", ["001", "2023"]),
        ("motion", "0.5", ["1"]),
        ("motion", "1", ["2023"]),
        ("flag", "true", ["001", "2023", "null"]),
        ("flag", "no", ["1", "no", "1e3"]),
    ],
)
def test_lists_numbers_and_truth_values(corpus, column, equals, found):
    assert kept(corpus, f"{{column: {column}, equals: {equals}}}") == found
    assert kept(corpus, "{column: motion, min: 0}", "--set", f"hq.{column}.equals={equals}") == found


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("{column: source, equals: 001}", "equals 1 is not of the type of `source`, string; put texts in quotes"),
        ("{column: source, equals: no}", "equals False is not of the type of `source`, string; put texts in quotes"),
        ("{column: count, equals: many}", "equals 'many' is not of the type of `count`, int32"),
        ("{column: count, equals: 1.5}", "equals 1.5 is not of the type of `count`, int32"),
        ("{column: motion, equals: .nan}", "equals nan is no number"),
        ("{column: source, equals: {a: 1}}", "equals: {'a': 1} is neither a text nor a number"),
        ("{column: source, equals: [a, null]}", "equals: None is neither a text nor a number"),
        ("{column: source, equals: [[a]]}", "equals: ['a'] is neither a text nor a number"),
        ("{column: source, equal: a}", "equal"),
        ("{equals: a}", "it names no column"),
        ("{column: motion, min: '0.1.2'}", "min"),
        ("{column: motion, min: 1, where: {column: source, equal: a}}", "equal"),
        ("{column: motion, min: 1, where: source}", "a condition is a mapping"),
        ("motion", "a rule is a mapping such as {column: motion, min: 0.1}"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_written(corpus, capsys, rule, words):
    (corpus.root / "config.yaml").write_text(f"{SCORERS}sets: {{hq: {{rules: [{rule}]}}}}")
    assert main(["filter", "--out", str(corpus.root)]) != 0
    assert words in capsys.readouterr().err
    assert not corpus.folder("verdicts").exists()


def test_every_field_comes_through(tmp_path):
    where = "where: {column: b, is_null: no}"
    said = f"{{column: a, min: 1, max: 2.5, drop_bottom: 0.1, if_null: keep, by: c, name: n, {where}}}"
    (tmp_path / "c.yaml").write_text(f"sets: {{hq: {{rules: [{said}]}}}}")
    parser = make_parser("run")
    parsed = parser.parse_args(["run", "--config", str(tmp_path / "c.yaml")])
    where = Condition("b", is_null=False)
    wanted = Rule("a", 1.0, 2.5, 0.1, None, None, None, "keep", where, "c", "n")
    assert parser.instantiate(parsed)["run"].sets["hq"].rules == [wanted]
    assert isinstance(wanted.min, float)
