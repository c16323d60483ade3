"""Many selections over one packed set: only what verdicts keep is trained on, and the rest is listed."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_recipe import TinyRecipe

from shards.reader import ShardSet
from shards.schema import VERDICTS
from training.__main__ import main
from training.kept import hash_of, kept_keys


def put_verdicts(folder, rejected, part="part-00000"):
    """Verdicts of clips by their keys: reasons, or none."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"clip_id": key, "rejected_by": reasons} for key, reasons in rejected.items()]
    pq.write_table(pa.Table.from_pylist(rows, schema=VERDICTS), folder / f"{part}.parquet")
    (folder / "rules.json").write_text("{}")
    return str(folder)


@pytest.fixture
def tiny(tmp_path):
    recipe = TinyRecipe(tmp_path)
    recipe.pack()
    return recipe


def keys_of(tiny):
    return ShardSet(tiny.shards / "pretrain" / "train").index["key"].to_pylist()


def test_kept_clips_of_all_parts_in_one_order(tmp_path):
    put_verdicts(tmp_path / "v", {"c": [], "a": ["motion"]})
    folder = put_verdicts(tmp_path / "v", {"b": [], "d": ["motion", "blur"]}, "part-00001")
    assert kept_keys(folder).to_pylist() == ["b", "c"]
    assert kept_keys(str(tmp_path / "v" / "part-00000.parquet")).to_pylist() == ["c"]
    assert hash_of(kept_keys(folder)) == hash_of(pa.array(["b", "c"])) != hash_of(pa.array(["c"]))


def test_only_kept_samples_are_trained_on(tiny, tmp_path, capsys):
    keys = keys_of(tiny)
    verdicts = put_verdicts(tmp_path / "v", {key: ["motion"] * (n % 2) for n, key in enumerate(keys)} | {"gone": []})
    assert main(tiny.train("1", "--data.kept", verdicts)) == 0
    assert "6 samples = 3 usable + 3 skipped (3 not in data.kept)" in capsys.readouterr().out
    skipped = pq.read_table(tiny.runs / "1" / "skipped.parquet")
    assert skipped["key"].to_pylist() == keys[1::2]
    record = json.loads((tiny.runs / "1" / "stage.json").read_text())
    assert record["made_from"]["kept"] == hash_of(kept_keys(verdicts))
    assert len(record["held_out_loss"]) > 1


def test_another_selection_is_another_run(tiny, tmp_path, capsys):
    keys = keys_of(tiny)
    first = put_verdicts(tmp_path / "first", {key: [] for key in keys})
    assert main(tiny.train("1", "--data.kept", first)) == 0
    same = put_verdicts(tmp_path / "moved", {key: [] for key in keys})
    assert main(tiny.train("1", "--data.kept", same)) == 0
    assert "is finished" in capsys.readouterr().out
    other = put_verdicts(tmp_path / "other", {key: [] for key in keys[1:]})
    assert main(tiny.train("1", "--data.kept", other)) == 1
    assert "kept" in capsys.readouterr().err


def test_what_is_no_selection_is_refused(tiny, tmp_path, capsys):
    nothing = put_verdicts(tmp_path / "nothing", {"a": ["motion"]})
    strangers = put_verdicts(tmp_path / "strangers", {"a": []})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "part-00000.parquet").write_bytes(b"PAR1")
    (tmp_path / "broken" / "rules.json").write_text("{}")
    half = put_verdicts(tmp_path / "half", {"a": []})
    (tmp_path / "half" / "rules.json").unlink()
    pq.write_table(pa.table({"key": ["a"]}), tmp_path / "other.parquet")
    for path, words in {
        nothing: "keeps no clip",
        strangers: "6 not in data.kept",
        half: "filtering was interrupted",
        str(tmp_path / "missing"): "there are no verdicts in",
        str(tmp_path / "broken"): "part-00000.parquet holds no verdicts",
        str(tmp_path / "other.parquet"): "other.parquet holds no verdicts",
    }.items():
        assert main(tiny.train("1", "--data.kept", path)) == 1
        assert words in capsys.readouterr().err
    assert not (tiny.runs / "1").exists()
