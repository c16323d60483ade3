"""configs/curate/svd.yaml with its captioners pointed at tiny local models of the same layout: from video to shard."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import webdataset
import yaml
from demo_corpus import read
from footage import noise_scene, write_video
from tiny_models import new_language_model, new_video_model, save_chat, save_coca

from curation.__main__ import main

SOURCES = ["coca", "video", "summary"]
LOCAL = {"device": "cpu", "resources": {"cpus": 1, "gpus": 0}}
SHORT = {"max_tokens": 6, "top_p": 0.9}  # random weights draw words; the likeliest ones would repeat themselves


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "coca": save_coca(folder / "coca"),
        "video_caption": save_chat(folder / "video", *new_video_model()),
        "summary": save_chat(folder / "language", *new_language_model()),
        "openclip": "local-dir:curation/demo/weights/clip",
    }


@pytest.fixture(scope="module")
def config(models, tmp_path_factory) -> Path:
    """The file with names of models and the device changed, and without what captions have no part in."""
    settings = yaml.safe_load(Path("configs/curate/svd.yaml").read_text())
    scorers = settings["scorers"]
    settings["scorers"] = {name: scorers[name] for name in models}
    for name, model in models.items():
        scorers[name]["init_args"] |= {"model": model, **LOCAL}
        scorers[name]["init_args"].pop("pretrained", None)
        if name != "openclip":
            scorers[name]["init_args"]["decoding"] = SHORT
    settings["split"] = {"min_clip_s": 1.0, "splitter": {"class_path": "curation.splitters.whole.Whole"}}
    settings["sets"] = {"pretrain": {"rules": []}}
    settings["dedup"] = {"rank": ["pixels"]}
    settings["pack"] = {"val_share": 0}
    file = tmp_path_factory.mktemp("config") / "svd.yaml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    return file


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for seed in range(3):
        write_video(folder / f"{seed}.mp4", noise_scene(seed, 30, 2.0, (96, 64)), 15)
    (folder / "1.txt").write_text("what the user said")
    return folder


def curate(config: Path, videos: Path, out: Path, *arguments: str) -> int:
    paths = ["--videos", str(videos), "--out", str(out)]
    return main(["run", "--config", str(config), *paths, "--engine", "local", *arguments])


@pytest.fixture(scope="module")
def curated(config, videos, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out") / "corpus"
    assert curate(config, videos, out) == 0
    return out


def samples(out: Path) -> list[dict]:
    tars = sorted(map(str, (out / "shards/pretrain/train").glob("*.tar")))
    return list(webdataset.WebDataset(tars, shardshuffle=False).decode())


def test_each_sample_has_its_captions_with_their_sources(curated):
    found = {sample["__key__"]: sample for sample in samples(curated)}
    assert len(found) == 3
    written = {source: {} for source in SOURCES}
    for source, table in zip(SOURCES, ("coca", "video_caption", "summary"), strict=True):
        written[source] = {row["clip_id"]: row[f"caption_{source}"] for row in read(curated, f"scores/{table}")}
    brought = {row["clip_id"]: row["text"] for row in read(curated, "captions")}
    assert list(brought.values()) == ["what the user said"]
    for clip_id, sample in found.items():
        expected = [("sidecar", brought[clip_id])] if clip_id in brought else []
        expected += [(source, written[source][clip_id]) for source in SOURCES if written[source][clip_id]]
        assert [(c["source"], c["text"]) for c in sample["json"]["captions"]] == expected
        assert sample["txt"] == expected[0][1]
    assert all(any(written[source].values()) for source in SOURCES)


def test_similarity_is_to_the_caption_that_was_written(curated):
    said = {row["clip_id"]: row["caption_coca"] for row in read(curated, "scores/coca")}
    for row in read(curated, "scores/openclip"):
        assert (row["clip_similarity"] is not None) == bool(said[row["clip_id"]])


def test_what_became_of_each_caption_stands_in_stats(curated):
    clips = pq.read_table(curated / "stats/clips.parquet")
    for source, table in zip(SOURCES, ("coca", "video_caption", "summary"), strict=True):
        texts, errors = clips[f"caption_{source}"].to_pylist(), clips[f"{table}_error"].to_pylist()
        assert all(bool(text) != bool(error) for text, error in zip(texts, errors, strict=True))


def test_a_second_corpus_has_the_same_captions(curated, config, videos, tmp_path):
    assert curate(config, videos, tmp_path / "again") == 0
    for table in ("coca", "video_caption", "summary"):
        assert read(curated, f"scores/{table}") == read(tmp_path / "again", f"scores/{table}")


def test_other_weights_are_refused_and_made_anew_with_all_that_was_built_on_them(
    curated, config, videos, models, tmp_path, capsys
):
    shutil.copytree(curated, tmp_path / "corpus")
    folder = Path(models["coca"].removeprefix("local-dir:"))
    kept = (folder / "open_clip_model.safetensors").read_bytes()
    try:
        weights = torch.tensor(np.frombuffer(kept, np.uint8))
        weights[-1] ^= 1
        (folder / "open_clip_model.safetensors").write_bytes(weights.numpy().tobytes())
        assert curate(config, videos, tmp_path / "corpus") == 1
        assert "FORCE=score" in capsys.readouterr().err
        assert curate(config, videos, tmp_path / "corpus", "--force", "score") == 0
    finally:
        (folder / "open_clip_model.safetensors").write_bytes(kept)
    (aside,) = (tmp_path / "corpus/aside").iterdir()
    assert {path.name for path in (aside / "scores").iterdir()} == {"coca", "summary", "openclip"}
    assert json.loads((tmp_path / "corpus/scores/summary/config.json").read_text())["hash"]
