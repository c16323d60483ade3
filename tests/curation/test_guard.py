import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import packages_distributions
from pathlib import Path

import pyarrow as pa
import pytest

from curation.config import LimitsConfig, SplitConfig
from curation.guard import LIBRARIES, ConfigChanged, changes, claim, config_hash, describe, move_aside, refuse_changed
from curation.scorer import Resources, Score, Scorer
from curation.scorers.heads import Head
from curation.scorers.openclip import OpenClip
from curation.tables import Corpus
from shards.store import read_json

NO_NUMBERS = "fsspec huggingface-hub jsonargparse orjson pyyaml ray rich safetensors universal-pathlib webdataset"
"""Libraries of curation that compute nothing: their version does not change what a table holds."""


@dataclass(frozen=True)
class Inner:
    width: int = 2


@dataclass(frozen=True)
class Outer:
    weights: str = "none"
    inner: Inner = field(default_factory=Inner)
    sizes: tuple = (1, 2)


@dataclass(frozen=True)
class FromHub(Scorer):
    """Weights of a hub lie in a cache that the configuration does not name."""

    cache: str
    revision: str | None = None
    commit: str | None = None

    @property
    def writes(self) -> pa.Schema:
        return pa.schema([])

    def weights(self) -> Mapping[str, Path | str | None]:
        path = Path(f"{self.cache}.bin")
        told = {"revision": self.commit} if self.commit else {}
        return {"weights": path if path.is_file() else None, **told}

    def build(self) -> Score:
        raise NotImplementedError


def test_a_table_remembers_and_refuses_with_the_keys_that_differ(tmp_path):
    corpus = Corpus(tmp_path)
    claim(corpus, "score", "scores/a", describe(Outer()))
    claim(corpus, "score", "scores/a", describe(Outer()))
    with pytest.raises(ConfigChanged, match=r"inner\.width was 2, is 3.*FORCE=score"):
        claim(corpus, "score", "scores/a", describe(Outer(inner=Inner(width=3))))
    assert changes(corpus, "scores/a", describe(Outer())) == []
    assert changes(corpus, "scores/b", describe(Outer())) is None


def test_what_only_changes_the_running_time_is_left_out(tmp_path):
    corpus = Corpus(tmp_path)
    claim(corpus, "split", "clips", describe(SplitConfig()))
    claim(corpus, "split", "clips", describe(SplitConfig(limits=LimitsConfig(wall_s=9, attempts=9))))
    with pytest.raises(ConfigChanged, match=r"limits\.max_frames"):
        claim(corpus, "split", "clips", describe(SplitConfig(limits=LimitsConfig(max_frames=9))))
    gpu, cpu = (OpenClip(model="m", resources=Resources(gpus=gpus)) for gpus in (1, 0))
    assert describe(gpu) == describe(cpu)


def test_other_weights_under_the_same_name_are_another_configuration(tmp_path):
    weights = tmp_path / "w.bin"
    weights.write_bytes(b"one")
    one = describe(Outer(weights=str(weights)))
    weights.write_bytes(b"two")
    assert config_hash(describe(Outer(weights=str(weights)))) != config_hash(one)
    elsewhere = tmp_path / "elsewhere.bin"
    elsewhere.write_bytes(b"two")
    assert describe(Outer(weights=str(weights))) == describe(Outer(weights=str(elsewhere))), (
        "where they lie is no matter"
    )
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "w").write_bytes(b"one")
    one = describe(Outer(weights=f"local-dir:{folder}"))
    (folder / "w").write_bytes(b"two")
    assert config_hash(describe(Outer(weights=f"local-dir:{folder}"))) != config_hash(one)


def test_weights_that_come_later_are_recorded_then(tmp_path):
    corpus, scorer, file = Corpus(tmp_path), FromHub(str(tmp_path / "w")), tmp_path / "w.bin"

    def record() -> dict:
        return read_json(tmp_path / "scores/a/config.json")

    claim(corpus, "score", "scores/a", describe(scorer))
    before = record()
    file.write_bytes(b"one")
    assert changes(corpus, "scores/a", describe(scorer)) == []
    claim(corpus, "score", "scores/a", describe(scorer))
    assert record() == before | {"config": describe(scorer)}, "and shards packed before are still of this table"
    file.write_bytes(b"two")
    with pytest.raises(ConfigChanged, match=r"another configuration: content of weights\.weights was .*FORCE=score"):
        claim(corpus, "score", "scores/a", describe(scorer))


def test_weights_that_are_gone_are_asked_back(tmp_path):
    corpus, scorer, file = Corpus(tmp_path), FromHub(str(tmp_path / "w")), tmp_path / "w.bin"
    file.write_bytes(b"one")
    claim(corpus, "score", "scores/a", describe(scorer))
    file.unlink()
    refuse_changed(corpus, "score", "scores/a", describe(scorer))  # they may yet be downloaded
    with pytest.raises(ConfigChanged, match=r"weights\.weights was 'content \w+', is None\. Bring the files back"):
        claim(corpus, "score", "scores/a", describe(scorer))
    file.write_bytes(b"one")
    claim(corpus, "score", "scores/a", describe(scorer))


@pytest.mark.parametrize("name", ["head.pth", "local-dir:model"])
def test_a_named_file_or_folder_that_is_gone_is_asked_back(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    corpus, head = Corpus(tmp_path / "out"), Head(file=name, column="x")
    (tmp_path / "model").mkdir()
    for file in (tmp_path / "head.pth", tmp_path / "model/w"):
        file.write_bytes(b"one")
    claim(corpus, "score", "scores/a", describe(head))
    (tmp_path / "head.pth").unlink()
    (tmp_path / "model").rename(tmp_path / "moved")
    with pytest.raises(ConfigChanged, match=rf"file was 'content \w+', is '{name}'\. Bring the files back there"):
        refuse_changed(corpus, "score", "scores/a", describe(head))


def test_a_branch_is_remembered_as_its_commit(tmp_path):
    made = describe(FromHub("w", revision="main", commit="abc"))
    assert made == describe(FromHub("w", revision="abc", commit="abc")) | {"commit": "abc"}
    assert made != describe(FromHub("w", revision="main", commit="def")) | {"commit": "abc"}


def test_versions_of_all_that_computes_are_recorded(tmp_path):
    distributions = packages_distributions()
    named = {told.lower().replace("_", "-") for module in imported() for told in distributions.get(module, ())}
    assert {"torch", "faiss-cpu", "onnxruntime", "transformers", "pillow"} <= named, "the walk finds imports"
    assert named - set(NO_NUMBERS.split()) <= set(LIBRARIES)
    claim(Corpus(tmp_path), "score", "scores/a", describe(Outer()))
    assert set(read_json(tmp_path / "scores/a/config.json")["versions"]) == set(LIBRARIES)


def imported() -> set[str]:
    """Top-level modules that curation, but for its demo and its report, and shards import."""
    files = [*Path("curation").rglob("*.py"), *Path("shards").rglob("*.py")]
    trees = [ast.parse(file.read_text()) for file in files if not {"demo", "report"} & set(file.parts)]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    froms = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[0] for name in froms | plain}


def test_old_tables_are_moved_not_deleted(tmp_path):
    corpus = Corpus(tmp_path)
    claim(corpus, "score", "scores/a", describe(Outer()))
    aside = move_aside(corpus, ["scores/a", "verdicts"])
    assert aside is not None and (aside / "scores/a/config.json").exists()
    assert changes(corpus, "scores/a", describe(Outer())) is None
    assert move_aside(corpus, ["scores/a"]) is None
