"""The command line: what a user gets wrong is told in one line, before any work."""

import subprocess
import sys
import time

import pytest
from footage import noise_scene, write_video

from curation.__main__ import main, with_default_config

DEFAULT = ["run", "--config", "configs/curate/default.yaml"]


@pytest.fixture
def footage(tmp_path):
    folder = tmp_path / "footage"
    folder.mkdir()
    write_video(folder / "a.mp4", noise_scene(1, 15))
    return folder


def told(capsys, *arguments: str) -> str:
    """The one error message of a command that must fail."""
    assert main(list(arguments)) != 0
    errors = capsys.readouterr().err.strip()
    assert sum(line.startswith("error:") for line in errors.splitlines()) == 1 and "Traceback" not in errors
    return errors


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("split: {min_clips_s: 3}", "split.min_clips_s"),
        ("split: {min_clip_s: long}", "split.min_clip_s"),
        ("scorers: {motion: {class_path: curation.scorers.motion.Motion, init_args: {flow: 3}}}", "'flow'"),
        ("scorers: {motion: {class_path: curation.scorers.motion.Motoin}}", "Motoin"),
        ("sets: {pretrain: {rules: [{column: motion, minimum: 1}]}}", "minimum"),
        ("engine: dask", "engine"),
        ("split: [", "config"),
    ],
)
def test_a_wrong_yaml_names_the_key(tmp_path, capsys, yaml, words):
    (tmp_path / "c.yaml").write_text(yaml)
    assert words in told(capsys, "run", "--config", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_rule_on_an_unknown_column_names_the_near_ones(tmp_path, footage, capsys):
    (tmp_path / "c.yaml").write_text("sets: {pretrain: {rules: [{column: sharpnes, min: 1}]}}")
    arguments = ["run", "--config", str(tmp_path / "c.yaml"), "--videos", str(footage), "--out", str(tmp_path / "out")]
    words = told(capsys, *arguments)
    assert "sets.pretrain" in words and "there are sharpness" in words
    assert not (tmp_path / "out/inputs").exists(), "before work starts"


def test_missing_and_empty_folders_and_out(tmp_path, footage, capsys):
    assert "no such folder" in told(capsys, *DEFAULT, "--videos", "nowhere", "--out", str(tmp_path / "out"))
    (tmp_path / "empty").mkdir()
    assert "no video file" in told(
        capsys, *DEFAULT, "--videos", str(tmp_path / "empty"), "--out", str(tmp_path / "out")
    )
    assert "OUT=<folder>" in told(capsys, *DEFAULT, "--videos", str(footage))
    (tmp_path / "file").write_text("")
    assert "cannot be written to" in told(
        capsys, *DEFAULT, "--videos", str(footage), "--out", str(tmp_path / "file/out")
    )


def test_a_job_whose_input_is_missing_says_which_job_comes_first(tmp_path, capsys):
    assert "name footage with VIDEOS" in told(capsys, *DEFAULT, "--out", str(tmp_path / "o"), "--job", "split")
    assert "run JOB=split first" in told(capsys, *DEFAULT, "--out", str(tmp_path / "o"), "--job", "dedup")
    assert "run JOB=dedup first" in told(capsys, *DEFAULT, "--out", str(tmp_path / "o"), "--job", "filter")


def test_an_unreachable_model_is_told_before_work(tmp_path, footage, capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "c.yaml").write_text(
        "scorers:\n  openclip:\n    class_path: curation.scorers.openclip.OpenClip\n"
        "    init_args: {model: 'hf-hub:nobody/nothing'}\n"
    )
    arguments = ["run", "--config", str(tmp_path / "c.yaml"), "--videos", str(footage), "--out", str(tmp_path / "out")]
    words = told(capsys, *arguments)
    assert "scorers.openclip" in words and "local-dir:<folder>" in words
    assert not (tmp_path / "out/inputs").exists()


def test_two_runs_cannot_hold_one_corpus(tmp_path, footage, capsys):
    import fcntl

    (tmp_path / "out").mkdir()
    with (tmp_path / "out/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another run" in told(capsys, *DEFAULT, "--videos", str(footage), "--out", str(tmp_path / "out"))


def test_the_configuration_that_is_taken_without_one(tmp_path):
    assert with_default_config(["run"])[2].endswith("demo.yaml")
    assert with_default_config(["run", "--videos", "x", "--out=y"])[2].endswith("default.yaml")
    assert with_default_config(["run", "--config", "mine.yaml"]) == ["run", "--config", "mine.yaml"]
    (tmp_path / "config.yaml").write_text("")
    assert with_default_config(["run", "--out", str(tmp_path)])[2] == str(tmp_path / "config.yaml")
    assert with_default_config(["run", "--out", str(tmp_path), "--videos", "x"])[2].endswith("default.yaml")


def test_help_answers_at_once():
    command = [sys.executable, "-m", "curation", "--help"]
    seconds = []
    for _ in range(3):
        start = time.monotonic()
        assert "demo" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds.append(time.monotonic() - start)
    assert min(seconds) < 1.0
