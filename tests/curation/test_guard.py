from dataclasses import dataclass, field

import pytest

from curation.config import LimitsConfig, SplitConfig
from curation.guard import ConfigChanged, changes, claim, config_hash, describe, move_aside
from curation.scorer import Resources
from curation.scorers.openclip import OpenClip
from curation.tables import Corpus


@dataclass(frozen=True)
class Inner:
    width: int = 2


@dataclass(frozen=True)
class Outer:
    weights: str = "none"
    inner: Inner = field(default_factory=Inner)
    sizes: tuple = (1, 2)


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


def test_old_tables_are_moved_not_deleted(tmp_path):
    corpus = Corpus(tmp_path)
    claim(corpus, "score", "scores/a", describe(Outer()))
    aside = move_aside(corpus, ["scores/a", "verdicts"])
    assert aside is not None and (aside / "scores/a/config.json").exists()
    assert changes(corpus, "scores/a", describe(Outer())) is None
    assert move_aside(corpus, ["scores/a"]) is None
