"""How models of transformers are had, and what is said when they cannot be."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch
from tiny_models import new_language_model, new_video_model, save_chat

from curation.chat_model import ChatSource
from curation.guard import ConfigChanged, claim, describe
from curation.next_token import Decoding
from curation.scorers.summary import Summary
from curation.scorers.video_caption import VideoCaption
from curation.tables import Corpus

HUB_NAME, FIRST, SECOND = "someone/something", "1" * 40, "2" * 40


@pytest.fixture(scope="module")
def language(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("language")
    save_chat(folder, *new_language_model())
    return folder


def source(folder: Path, kind="text") -> ChatSource:
    return ChatSource(f"local-dir:{folder}", None, kind)


def copied(language: Path, folder: Path, *left_out: str) -> Path:
    folder.mkdir()
    for file in language.iterdir():
        if file.name not in left_out:
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_what_can_be_had_is_not_loaded_to_see_it(language, tmp_path):
    source(language).check()
    broken = copied(language, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"no weights")
    source(broken).check()
    with pytest.raises(ValueError, match="broken' cannot be loaded"):
        source(broken).load("cpu", Decoding())


@pytest.mark.parametrize(
    ("left_out", "reason"),
    [
        ("config.json", "there is no .*config.json; paths count from"),
        ("model.safetensors", r"has no weights as \*\.safetensors"),
        ("chat_template.jinja", "has no chat template"),
        ("tokenizer.json", "has no words; its tokenizer's files are missing"),
    ],
)
def test_each_file_that_lacks_is_refused_before_any_work(language, tmp_path, left_out, reason):
    folder = copied(language, tmp_path / "part", left_out)
    with pytest.raises(ValueError, match=reason):
        source(folder).check()


def test_a_model_for_another_task_is_refused(language):
    with pytest.raises(ValueError, match=r"cannot be loaded .*local-dir:<folder>"):
        source(language, "pictures").check()


def test_code_that_comes_with_a_model_is_not_run(language, tmp_path):
    folder = copied(language, tmp_path / "custom")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ValueError, match="cannot be loaded"):
        source(folder).check()
    assert not (tmp_path / "ran").exists()


def test_a_folder_without_its_prefix_and_a_name_that_is_none_are_refused(language):
    with pytest.raises(ValueError, match=f"is a folder; say local-dir:{language}"):
        ChatSource(str(language), None, "text").check()
    with pytest.raises(ValueError, match=r"'no such name' cannot be loaded .*With no network name a local copy"):
        ChatSource("no such name", None, "text").check()


def test_a_hub_that_cannot_be_reached_is_told_with_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        ValueError, match=r"'someone/something' cannot be loaded .*local copy: model: local-dir:<folder>"
    ):
        ChatSource("someone/something", None, "text").check()
    assert ChatSource("someone/something", None, "text").weights() == {"revision": None}


@pytest.fixture
def newest(monkeypatch, tmp_path) -> Callable[[str], None]:
    """A hub out of reach whose cache has two commits of a model; call it with the one that `main` stands for now."""
    repository = tmp_path / "models--someone--something"
    for seed, commit in enumerate((FIRST, SECOND)):
        (repository / "snapshots" / commit).mkdir(parents=True)
        save_chat(repository / "snapshots" / commit, *new_language_model(seed))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    def move_main(commit: str) -> None:
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs/main").write_text(commit)

    move_main(FIRST)
    return move_main


def test_the_commit_of_a_hub_model_tells_its_weights(newest):
    assert ChatSource(HUB_NAME, None, "text").weights() == {"revision": FIRST}
    newest(SECOND)
    assert ChatSource(HUB_NAME, "main", "text").weights() == {"revision": SECOND}
    assert ChatSource(HUB_NAME, FIRST, "text").weights() == {"revision": FIRST}, "named, so wherever it lies"
    assert source(Path("anywhere")).weights() == {}, "named by the configuration itself"


def first_weight(scorer: Summary) -> torch.Tensor:
    return next(scorer.load_chat()._model.parameters())


def test_workers_load_the_commit_that_was_there_when_it_was_prepared(newest):
    scorer = Summary(model=HUB_NAME)
    scorer.prepare()
    made = describe(scorer)
    newest(SECOND)
    worker = pickle.loads(pickle.dumps(scorer))
    for mine in (scorer, worker):
        assert describe(mine) == made
        torch.testing.assert_close(first_weight(mine), next(new_language_model(0)[0].parameters()))
    fresh = Summary(model=HUB_NAME)
    torch.testing.assert_close(first_weight(fresh), next(new_language_model(1)[0].parameters()))
    scorer.prepare()
    assert describe(scorer) == describe(fresh) != made, "prepared anew, it is looked up anew"


@pytest.mark.parametrize("kind", [Summary, VideoCaption])
def test_a_table_names_the_commit_and_goes_on_with_it_alone(newest, tmp_path, kind):
    corpus = Corpus(tmp_path / "corpus")
    claim(corpus, "score", "scores/a", describe(kind(model=HUB_NAME)))
    claim(corpus, "score", "scores/a", describe(kind(model=HUB_NAME, revision="main")))
    newest(SECOND)
    with pytest.raises(ConfigChanged, match=f"revision was '{FIRST}', is '{SECOND}'"):
        claim(corpus, "score", "scores/a", describe(kind(model=HUB_NAME)))
    claim(corpus, "score", "scores/a", describe(kind(model=HUB_NAME, revision=FIRST)))


@pytest.mark.parametrize("new", [new_language_model, new_video_model])
def test_bfloat16_goes_through(new, tmp_path, monkeypatch):
    """What is built for a GPU, tried on the CPU."""
    save_chat(tmp_path, *new())
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, device: self)
    kind, question = ("text", "Hm?") if new is new_language_model else ("pictures", [{"type": "text", "text": "Hm?"}])
    model = source(tmp_path, kind).load("cuda", Decoding(max_tokens=3))
    assert {weight.dtype for weight in model._model.parameters()} == {torch.bfloat16}
    picture = [{"type": "image", "image": torch.zeros(3, 40, 60, dtype=torch.uint8)}] if kind == "pictures" else None
    asked = [*picture, *question] if picture else question
    assert len(model.answer([asked], ["a"])) == 1
