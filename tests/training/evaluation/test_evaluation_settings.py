"""How a stage is evaluated: numbers and names that make no sense are refused, and the later file wins key by key."""

import pytest

from training.evaluation.settings import EvaluationSettings, evaluation_section
from training.metrics.dynamic_degree import DynamicDegree
from training.metrics.temporal_flickering import TemporalFlickering


def written(folder, *texts):
    files = [folder / f"{number}.yaml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    return files


@pytest.mark.parametrize("name", ["num_videos", "batch"])
def test_at_least_one_video_is_sampled_at_once(name):
    assert getattr(EvaluationSettings(**{name: 1}), name) == 1
    with pytest.raises(ValueError, match=rf"evaluation\.{name} is at least 1, not 0"):
        EvaluationSettings(**{name: 0})


def test_each_metric_has_a_name_of_its_own():
    one, other = TemporalFlickering("a"), DynamicDegree("b")
    EvaluationSettings([one, other, TemporalFlickering("c")])
    with pytest.raises(ValueError, match="called a, b: give each a `name`"):
        EvaluationSettings([other, one, TemporalFlickering("c"), DynamicDegree("a"), TemporalFlickering("b")])


def test_the_later_file_wins_key_by_key(tmp_path):
    base = "evaluation: {num_videos: 64, seed: 3, metrics: [{class_path: a}]}\nmodel: {depth: 2}\n"
    stage = "evaluation: {num_videos: 8, metrics: [{class_path: b}]}\n"
    found = evaluation_section(written(tmp_path, base, stage))
    assert found == {"num_videos": 8, "seed": 3, "metrics": [{"class_path": "b"}]}


@pytest.mark.parametrize("silent", ["", "# nothing\n", "model: {depth: 2}\n", "evaluation:\n"])
def test_files_that_say_nothing_of_it_change_nothing(tmp_path, silent):
    assert evaluation_section(written(tmp_path, silent)) == {}
    assert evaluation_section(written(tmp_path, "evaluation: {seed: 3}", silent)) == {"seed": 3}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("evaluation: [clipsim]", "1.yaml: `evaluation` is no mapping"),
        ("evaluation: []", "1.yaml: `evaluation` is no mapping"),
        ("evaluation: 64", "1.yaml: `evaluation` is no mapping"),
        ("- evaluation", "1.yaml is no mapping"),
        ("evaluation: {seed: 3", "1.yaml is no valid YAML"),
    ],
)
def test_what_is_no_section_is_told_with_its_file(tmp_path, text, words):
    with pytest.raises(ValueError, match=words):
        evaluation_section(written(tmp_path, "evaluation: {seed: 3}", text))
