"""The commands `filter` and `sweep`, over small tables written by hand."""

import json
from pathlib import Path

import pytest
import yaml
from handmade import put_clips, put_scores, put_videos, split_video

from curation import dedup
from curation.__main__ import main
from curation.tables import DEMO, Corpus
from shards.schema import INPUTS, VERDICTS
from shards.store import read_json, write_json

CONFIG = """
scorers: {motion: {class_path: curation.scorers.motion.Motion}}
sets:
  hq: {rules: [{column: motion, min: 3}, {column: height, min: 100}]}
  low: {rules: [{column: motion, drop_top: 0.5}]}
"""


@pytest.fixture
def corpus(tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    put_scores(corpus, 0, "motion", put_clips(corpus, 0, 8), motion=[float(i) for i in range(8)])
    dedup.run(corpus)
    (corpus.root / "config.yaml").write_text(CONFIG)
    return corpus


def files(corpus):
    return {path: path.stat().st_mtime_ns for path in corpus.root.rglob("*")}


def run(corpus, *arguments):
    return main([arguments[0], "--out", str(corpus.root), *arguments[1:]])


def kept(corpus, name="hq"):
    return [not reasons for reasons in corpus.read_all(f"verdicts/{name}")["rejected_by"].to_pylist()]


def test_a_dry_run_says_what_would_come_out_and_writes_nothing(corpus, capsys):
    before = files(corpus)
    assert run(corpus, "filter", "--set", "hq.motion.min=6", "--set", "low.height.max=100", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "filter hq: 8 clips (16.0 s)"
    assert "motion min 6.0" in lines[2] and "6 (12.0 s)" in lines[2]
    assert "  kept: 2 (4.0 s), 25.0% of the clips" in lines and "  kept: 0 (0.0 s), 0.0% of the clips" in lines
    assert files(corpus) == before


def test_a_dry_run_says_nothing_of_stats(corpus, capsys):
    write_json(corpus.folder("stats") / "any.json", {})
    assert run(corpus, "filter", "--set", "hq.motion.min=6", "--dry-run") == 0
    assert "speaks of" not in capsys.readouterr().out
    assert run(corpus, "filter") == 0
    assert "speaks of the verdicts before" in capsys.readouterr().out


def test_a_dry_run_says_what_would_change_of_the_verdicts_that_stand(corpus, capsys):
    assert run(corpus, "filter") == 0  # motion is 0 to 7, each clip lasts two seconds
    capsys.readouterr()
    assert run(corpus, "filter", "--set", "hq.motion.min=5", "--dry-run") == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "stand" in line]
    assert told[0] == "  against the verdicts that stand: 0 (0.0 s) more kept, 2 (4.0 s) more rejected"
    assert told[1:] == ["  against the verdicts that stand: the same clips are kept"]
    assert run(corpus, "filter", "--set", "hq.motion.min=2", "--dry-run") == 0
    assert "stand: 1 (2.0 s) more kept, 0 (0.0 s) more rejected" in capsys.readouterr().out


def more_parts(corpus):
    put_scores(corpus, 1, "motion", put_clips(corpus, 1, 2), motion=[1.0, 9.0])
    dedup.run(corpus)


def killed_amid_filter(corpus):
    for name in ("hq", "low"):
        (corpus.root / "verdicts" / name / "rules.json").unlink()


def other_clips(corpus):
    for name in ("hq", "low"):
        rows = corpus.read(f"verdicts/{name}", "part-00000")
        corpus.write(f"verdicts/{name}", "part-00000", rows.slice(1), VERDICTS)


def damaged(corpus):
    for name in ("hq", "low"):
        corpus.path(f"verdicts/{name}", "part-00000").write_bytes(b"PAR1")


@pytest.mark.parametrize("spoil", [more_parts, killed_amid_filter, other_clips, damaged])
def test_no_difference_is_told_to_verdicts_that_are_not_whole(corpus, capsys, spoil):
    assert run(corpus, "filter") == 0
    spoil(corpus)
    assert run(corpus, "filter", "--set", "hq.motion.min=5", "--dry-run") == 0
    assert "stand" not in capsys.readouterr().out


def test_without_it_the_rules_are_applied_and_remembered(corpus):
    assert run(corpus, "filter", "--set", "hq.motion.min=6") == 0
    assert kept(corpus) == [False] * 6 + [True] * 2
    remembered = yaml.safe_load((corpus.root / "config.yaml").read_text())
    assert remembered["sets"]["hq"]["rules"][0]["min"] == 6.0 and "set" not in remembered
    assert remembered["sets"]["low"]["rules"][0]["drop_top"] == 0.5
    assert run(corpus, "run", "--job", "filter") == 0
    assert kept(corpus) == [False] * 6 + [True] * 2


def test_a_refused_pack_and_a_look_at_the_stats_are_not_remembered(corpus, tmp_path, capsys):
    put_videos(corpus, 0, [split_video(8)])
    assert run(corpus, "filter") == 0
    before = (corpus.root / "config.yaml").read_text()
    write_json(corpus.folder("shards/hq") / "config.json", {"config": {"pack": "otherwise"}, "hash": "then"})
    assert run(corpus, "run", "--job", "pack", "--pack.short_side_px", "128") == 1
    assert "hq was made with another configuration" in capsys.readouterr().err
    other = tmp_path / "other.yaml"
    other.write_text(CONFIG.replace("min: 3", "min: 4"))
    assert run(corpus, "run", "--job", "stats", "--config", str(other)) == 0
    assert (corpus.root / "config.yaml").read_text() == before


def test_thresholds_without_a_share_to_take_them_are_refused(corpus, capsys):
    only = "{hq: {rules: [{column: motion, min: 3}]}}"
    assert run(corpus, "filter", f"--sets={only}", "--thresholds", "nowhere") == 1
    assert "no set has drop_bottom or drop_top" in capsys.readouterr().err


def test_thresholds_of_another_corpus(corpus, tmp_path, capsys):
    found = {"reason": "motion:drop_top", "column": "motion", "made_by": {}, "limit": 1.0, "share": 0.5}
    write_json(tmp_path / "other/verdicts/low/rules.json", {"resolved": [found]})
    assert run(corpus, "filter", "--thresholds", str(tmp_path / "other")) == 0
    assert kept(corpus, "low") == [True] * 2 + [False] * 6 and kept(corpus) == [False] * 3 + [True] * 5
    assert "motion drop_top 0.5 (1)" in capsys.readouterr().out


def test_rules_that_failed_are_not_remembered(corpus, tmp_path, capsys):
    write_json(tmp_path / "other/verdicts/low/rules.json", {"resolved": []})
    for source, words in (("other", "has no number for motion:drop_top; it has none"), ("nowhere", "there is no")):
        assert run(corpus, "filter", "--thresholds", str(tmp_path / source)) == 1
        assert words in capsys.readouterr().err
        assert (corpus.root / "config.yaml").read_text() == CONFIG
    elsewhere = f'--sets={{"low": {{"thresholds": "{tmp_path / "nowhere"}"}}}}'
    assert run(corpus, "run", elsewhere) == 1 and "there is no" in capsys.readouterr().err
    write_json(corpus.folder("scores/motion") / "config.json", {"config": {"flow": "dis"}, "hash": "then"})
    assert run(corpus, "filter", "--set", "hq.motion.min=6") == 1
    assert "made with another configuration" in capsys.readouterr().err
    assert (corpus.root / "config.yaml").read_text() == CONFIG


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("hq.motoin.min=1", "rule on `motoin`: no such column; there are motion"),
        ("hq.motion.minimum=1", "minimum"),
        ("hq.motion.min=much", "much"),
        ("best.motion.min=1", "there is no set `best`; there are hq, low"),
    ],
)
def test_a_wrong_assignment_is_told_in_one_line_before_anything_is_written(corpus, capsys, assignment, words):
    before = files(corpus)
    assert run(corpus, "filter", "--set", assignment) != 0
    assert words in capsys.readouterr().err
    assert {path: files(corpus)[path] for path in before if path.is_file()} == {
        p: t for p, t in before.items() if p.is_file()
    }
    assert not corpus.folder("verdicts").exists()


def test_a_sweep_writes_subsets_and_a_configuration_that_packs_them(corpus, capsys):
    assert run(corpus, "sweep", "--of", "low", "--shares", "[0.25]") == 0
    assert kept(corpus, "sweep_raw") == [True] * 8
    assert kept(corpus, "sweep_full") == [True] * 4 + [False] * 4
    assert kept(corpus, "sweep_motion_top_25") == [True] * 6 + [False] * 2
    assert read_json(corpus.folder("verdicts/sweep_motion_top_25") / "rules.json")["resolved"][0]["limit"] == 5.0
    assert "sweep_motion_top_25: keeps 6 (12.0 s), cut at 5" in capsys.readouterr().out
    assert (corpus.root / "config.yaml").read_text() == CONFIG
    swept = corpus.root / "sweep.yaml"
    assert main(["run", "--config", str(swept), "--out", str(corpus.root), "--job", "filter"]) == 0
    assert kept(corpus, "sweep_motion_top_25") == [True] * 6 + [False] * 2 and kept(corpus) == [False] * 3 + [True] * 5
    assert list(yaml.safe_load((corpus.root / "config.yaml").read_text())["sets"]) == ["hq", "low"]


@pytest.mark.parametrize("command", ["sweep", "filter"])
def test_without_footage_it_is_said_what_to_run(tmp_path, capsys, command):
    out = tmp_path / "mine"
    assert main([command, "--out", str(out)]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert errors == [f"error: {out} is not curated yet: make curate VIDEOS=<your footage> OUT={out}"]
    assert not out.exists()


def test_of_a_split_that_was_interrupted_it_is_said_how_it_goes_on(tmp_path, capsys):
    corpus = Corpus(tmp_path / "mine")
    corpus.write("inputs", "part-00000", INPUTS.empty_table(), INPUTS)
    assert run(corpus, "sweep") == 1
    assert capsys.readouterr().err == f"error: {corpus.root} is not curated yet: make curate OUT={corpus.root}\n"


def test_the_demo_is_curated_without_footage_of_ones_own(tmp_path, capsys, monkeypatch):
    config = Path("configs/curate/demo.yaml").resolve()
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", "--config", str(config)]) == 1  # which `make sweep` takes where OUT names no other
    assert capsys.readouterr().err == f"error: {tmp_path / DEMO} is not curated yet: make curate\n"


def test_of_a_corpus_that_is_not_done_the_next_job_is_said(corpus, capsys):
    put_videos(corpus, 0, [{"video_id": "v"}])
    corpus.path("scores/motion", "part-00000").unlink()
    assert run(corpus, "sweep") == 1
    assert "scores/motion is empty; run JOB=score first" in capsys.readouterr().err


def test_verdicts_of_older_sweeps_are_removed_and_no_others(corpus, capsys):
    assert run(corpus, "filter") == 0
    assert run(corpus, "sweep", "--of", "low", "--shares", "[0.25, 0.5]") == 0
    assert "removed" not in capsys.readouterr().out
    verdicts = corpus.folder("verdicts")
    (verdicts / "sweep_notes").mkdir()
    write_json(corpus.folder("shards/sweep_old") / "rules.json", {})
    assert run(corpus, "sweep", "--of", "low", "--shares", "[0.25]", "--columns", "[height]") == 0
    stand = {"hq", "low", "sweep_raw", "sweep_full", "sweep_height_bottom_25", "sweep_notes"}
    assert {path.name for path in verdicts.iterdir()} == stand and corpus.folder("shards/sweep_old").exists()
    lines = capsys.readouterr().out.splitlines()
    assert "removed verdicts of older sweeps: sweep_motion_top_25, sweep_motion_top_50" in lines


def test_a_sweep_that_fails_removes_nothing(corpus):
    assert run(corpus, "sweep", "--of", "low", "--shares", "[0.25]") == 0
    before = sorted(path.name for path in corpus.folder("verdicts").iterdir())
    assert run(corpus, "sweep", "--of", "low", "--columns", "[widht]") == 1
    assert sorted(path.name for path in corpus.folder("verdicts").iterdir()) == before


def test_subsets_are_packed_as_the_set_is(corpus):
    buckets = [{"frames": 4, "width": 64, "height": 32, "fps": 8.0}]
    packed = {"low": {"pack": {"buckets": buckets}, "rules": [{"column": "motion", "max": 3}]}}
    assert run(corpus, "sweep", f"--sets={json.dumps(packed)}") == 0
    swept = yaml.safe_load((corpus.root / "sweep.yaml").read_text())["sets"]
    assert len(swept) == 6 and all(subset["pack"]["buckets"] == buckets for subset in swept.values())
    assert run(corpus, "run", "--config", str(corpus.root / "sweep.yaml"), "--job", "filter") == 0


def test_the_subset_with_all_rules_takes_the_thresholds_of_the_set(corpus, tmp_path):
    found = {"reason": "motion:drop_top", "column": "motion", "made_by": {}, "limit": 1.0, "share": 0.5}
    record = {"resolved": [found]}
    write_json(tmp_path / "other/verdicts/low/rules.json", record)
    carried = {"low": {"thresholds": str(tmp_path / "other"), "rules": [{"column": "motion", "drop_top": 0.5}]}}
    assert run(corpus, "sweep", f"--sets={json.dumps(carried)}") == 0
    assert kept(corpus, "sweep_full") == [True] * 2 + [False] * 6
    assert run(corpus, "run", "--config", str(corpus.root / "sweep.yaml"), "--job", "filter") == 0
    assert kept(corpus, "sweep_full") == kept(corpus, "low") == [True] * 2 + [False] * 6


def test_a_sweep_tells_where_ties_keep_a_share_from_going(corpus, capsys):
    assert run(corpus, "sweep", "--of", "hq", "--columns", "[height]", "--shares", "[0.5]") == 0
    assert (
        "sweep_height_bottom_50: keeps 8 (16.0 s), cut at 360; takes 0 of the 4 asked, the others tie"
        in capsys.readouterr().out
    )


def test_scores_of_another_configuration_are_refused_but_missing_weights_are_not(corpus, capsys):
    write_json(corpus.folder("scores/motion") / "config.json", {"config": {"flow": "dis"}, "hash": "then"})
    assert run(corpus, "filter", "--dry-run") == 1
    words = capsys.readouterr().err
    assert "scores/motion was made with another configuration" in words and "FORCE=score" in words
