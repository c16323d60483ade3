"""The command line: what a user gets wrong is told in one line, before any work."""

import pytest
from footage import noise_scene, write_video
from processor import processor_time

from curation.__main__ import main
from curation.remembered import with_default_config

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
        ("scorers: {motion: {class_path: curation.scorers.motion.Motion, init_args: {flown: 3}}}", "'flown'"),
        ("scorers: {motion: {class_path: curation.scorers.motion.Motoin}}", "Motoin"),
        (
            "sets: {pretrain: {rules: [{column: motion, minimum: 1}]}}",
            "rule {'column': 'motion', 'minimum': 1}: there is no key 'minimum'",
        ),
        ("sets: {pretrain: {rules: [{column: motion, min: low}]}}", "{'column': 'motion', 'min': 'low'}"),
        ("engine: dask", "engine"),
        ("split: [", "config"),
        ("split: {max_clip_s: null}", "split.max_clip_s: nothing stands under it"),
        (
            "sets: {pretrain: {rules: [{column: motion, min: 1, where: {column: fps, mni: 1}}]}}",
            "rule {'column': 'motion', 'min': 1, 'where': {'column': 'fps', 'mni': 1}}: there is no key 'mni'",
        ),
        ("sets: {pretrain: {rules: [{column: motion, equals: {a: 1}}]}}", "'motion', 'equals': {'a': 1}}: equals: "),
        *((f"limit: 3\n{key}:", f"{key}: nothing stands under it") for key in ("pack", "sets", "scorers", "engine")),
        ("split: {limits: }", "split.limits: nothing stands under it"),
        ("split: {splitter: }", "split.splitter: nothing stands under it"),
        ("split: {snap: null}", "split.snap: nothing stands under it"),
        ("pack: {samples_per_shard: null}", "pack.samples_per_shard: nothing stands under it"),
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
    typo = tmp_path / "typo"
    for job in ("all", "split", "score", "dedup", "filter", "pack", "stats"):
        words = told(capsys, *DEFAULT, "--out", str(typo), "--job", job)
        assert f"is not curated yet: make curate VIDEOS=<your footage> OUT={typo}" in words
    assert not typo.exists()


@pytest.mark.slow  # the hub is tried several times
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
    told = ["run", "--out", "y", "--config", "mine.yaml", "--videos=x", "--config=more.yaml"]
    first = ["run", "--config", "mine.yaml", "--config=more.yaml", "--out", "y", "--videos=x"]
    assert with_default_config(told) == first  # the demo's configuration names videos, and must not win over the user
    (tmp_path / "config.yaml").write_text("")
    assert with_default_config(["run", "--out", str(tmp_path)])[2] == str(tmp_path / "config.yaml")
    told = with_default_config(["run", "--out", str(tmp_path), "--videos", "x"])
    assert told[2] == str(tmp_path / "config.yaml"), "rules that were tuned are not dropped when footage comes in"


def test_a_corpus_remembers_its_configuration_but_not_the_errand(tmp_path, footage, capsys):
    arguments = [*DEFAULT, "--videos", str(footage), "--out", str(tmp_path / "out"), "--engine", "local"]
    assert main([*arguments, "--split.min_clip_s", "0.5", "--limit", "1"]) == 0
    assert main([*arguments, "--split.min_clip_s", "0.5", "--force", "dedup"]) == 0
    write_video(footage / "b.mp4", noise_scene(2, 12))
    assert main(["run", "--out", str(tmp_path / "out"), "--job", "split"]) == 0
    said = capsys.readouterr().out
    assert "2 files" in said and "1 of them new" in said, "neither the job nor the limit nor the force stuck"
    assert main(["run", "--out", str(tmp_path / "out"), "--job", "stats"]) == 0
    assert main([*DEFAULT, "--videos", str(footage), "--out", str(tmp_path / "out"), "--job", "split"]) == 1
    assert "min_clip_s was 0.5, is 1.0" in capsys.readouterr().err


def test_what_is_wrong_is_found_before_anything_is_moved_or_written(tmp_path, footage, capsys):
    out = tmp_path / "out"
    arguments = [*DEFAULT, "--out", str(out), "--engine", "local"]
    assert main([*arguments, "--videos", str(footage), "--job", "split"]) == 0
    assert "no such folder" in told(capsys, *arguments, "--videos", "typo", "--force", "split")
    assert "is not there" in told(capsys, *arguments, "--videos", str(footage), "--captions", "gone.csv")
    assert "leave JOB out" in told(capsys, *arguments, "--videos", str(footage), "--job", "stats", "--force", "split")
    assert (out / "videos/part-00000.parquet").exists() and not (out / "aside").exists()
    assert "no such folder" in told(capsys, *DEFAULT, "--videos", "typo", "--out", str(tmp_path / "new"))
    assert not (tmp_path / "new/clips").exists() and not (tmp_path / "new/config.yaml").exists()


@pytest.mark.parametrize(
    "argument",
    ["--split.proxy_fps=0", "--split.max_clip_s=0", "--split.limits.attempts=0", "--limit=0", "--workers=0"],
)
def test_values_that_make_no_sense_are_refused(tmp_path, footage, capsys, argument):
    words = told(capsys, *DEFAULT, "--videos", str(footage), "--out", str(tmp_path / "out"), argument)
    assert argument.split("=")[0].lstrip("-") in words


def test_a_corpus_of_broken_files_finishes(tmp_path, capsys):
    (tmp_path / "footage").mkdir()
    (tmp_path / "footage/empty.mp4").write_bytes(b"")
    (tmp_path / "footage/text.mp4").write_text("no video")
    arguments = [*DEFAULT, "--videos", str(tmp_path / "footage"), "--out", str(tmp_path / "out"), "--engine", "local"]
    assert main(arguments) == 0
    assert "2 unique videos = 0 split + 2 failed" in capsys.readouterr().out


def test_help_costs_little():
    seconds, texts = zip(*(processor_time("-m", "curation", "--help") for _ in range(3)), strict=True)
    assert "demo" in texts[0] and min(seconds) < 1.0
