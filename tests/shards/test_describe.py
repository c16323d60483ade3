import re
import sys
from subprocess import run

import pytest
from clipset import gray_clip
from spoil import change_manifest, flip, pack, place_of

from shards.__main__ import main
from shards.describe import describe
from shards.sample import Sample
from shards.writer import write_manifest

CLIP = gray_clip(0, 5)


def sample(number, **fields):
    key = f"{CLIP.key[:20]}-{number:09d}-{number + 1:09d}"
    return Sample(key, CLIP.content, CLIP.meta | {"key": key} | fields)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Ten samples whose numbers are known."""
    train = [
        sample(
            n,
            duration_s=360.0 * (n + 1),
            fps=24.0 if n < 5 else 30.0,
            video_id=f"{n % 3:020x}",
            motion_bucket=None if n == 0 else 10 * n,
            captions=[] if n < 2 else [{"text": "a", "source": "me"}, {"text": "b", "source": None}],
            scores={"motion": float(n)} | ({"sharp": 2.5} if n == 3 else {}),
            width=96 if n < 7 else 64,
            audio=[None, "none", "aac"][min(n, 2)],
            score_configs={"motion": "beef" if n else "cafe"},
        )
        for n in range(8)
    ]
    val = [sample(n, duration_s=360.0, captions=[{"text": "c", "source": "me"}]) for n in (8, 9)]
    return pack(tmp_path_factory.mktemp("sets") / "hq", train, val)


def cells(lines):
    """Rows of the tables by their first cell."""
    rows = [re.split(r"\s{2,}", line) for line in lines if line]
    return {row[0]: row[1:] for row in rows}


def test_the_numbers_are_those_of_the_samples(root):
    rows = cells(describe(root))
    assert rows["schema version"] == ["2"] and rows["configuration"] == ["c0ffee"]
    assert rows["train"] != rows["val"]
    lines = list(describe(root))
    train = next(line.split() for line in lines if line.startswith("train"))
    assert train[1:5] == ["3", "8", "3", f"{sum(range(1, 9)) / 10:.2f}"] and train[-1] == "2"
    assert rows["duration_s"] == ["10", "360", "360", "1080", "2880", "2880"]
    assert rows["fps"] == ["10", "24", "24", "24", "30", "30"]
    assert rows["motion_bucket"][:2] == ["9", "0"] and rows["motion_bucket"][-1] == "70"
    assert rows["96x64"] == ["9"] and rows["64x64"] == ["1"]
    assert rows["aac"] == ["6"] and rows["none"] == ["1"]
    assert rows["me"] == ["8"] and rows["unnamed"] == ["6"]
    assert rows["sharp"] == ["1", "2.5", "2.5", "2.5"]
    assert "beef, cafe" in next(line for line in lines if line.startswith("motion  ") and "beef" in line)


def test_hashes_are_told(root):
    import hashlib

    lines = list(describe(root, list_shards=True))
    for split in ("train", "val"):
        text = (root / split / "manifest.json").read_bytes()
        assert any(line.startswith(split) and hashlib.sha256(text).hexdigest() in line for line in lines)
    tar = hashlib.sha256((root / "train/00002.tar").read_bytes()).hexdigest()
    assert cells(lines)["train/00002"] == ["2", "10.2 kB", tar]
    assert not any("train/00002" in line for line in describe(root))


def test_lines_fit_a_screen(tmp_path):
    long = "x" * 300
    samples = [sample(n, scores={f"score_{long}_{n}": 1e-30}, score_configs={long: long}) for n in range(3)]
    samples += [sample(n, captions=[{"text": "a", "source": f"{long} {n}"}], width=n) for n in range(10, 40)]
    lines = list(describe(pack(tmp_path / long[:200], samples), list_shards=True))
    assert max(map(len, lines)) <= 100 and any("18 others" in line or "19 others" in line for line in lines)


def test_no_tar_is_read(root, monkeypatch):
    from pathlib import Path

    opened = Path.open

    def watched(path, *args, **kwargs):
        assert path.suffix != ".tar"
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", watched)
    assert list(describe(root, list_shards=True))


def test_an_empty_set_and_one_split(root, tmp_path):
    lines = list(describe(pack(tmp_path, [], [])))
    assert cells(lines)["train"] and cells(lines)["fps"] == ["0", "-", "-", "-", "-", "-"]
    rows = cells(describe(root / "val"))
    assert rows["all"] and rows["duration_s"][0] == "2"


def test_generations_are_told_where_there_are_any(root, tmp_path):
    import json

    made = pack(tmp_path, [sample(1), sample(2)], [])
    path = made / "train" / "manifest.json"
    shards = json.loads(path.read_text())["shards"]
    change_manifest(path, shards=[shard | {"generation": 10} for shard in shards])
    assert cells(describe(made))["10"][:2] == ["1", "2"] and "generation" not in cells(describe(root))


def test_what_is_wrong_is_named(root, tmp_path):
    with pytest.raises(ValueError, match=r"holds hq: name one of them"):
        list(describe(root.parent))
    made = pack(tmp_path, [sample(1)], [])
    change_manifest(made / "train" / "manifest.json", schema_version=1)
    with pytest.raises(ValueError, match="has schema version 1, this code reads 2"):
        list(describe(made))
    write_manifest(made / "train", "c0ffee")
    (made / "train" / "00000.parquet").write_bytes(b"no index")
    with pytest.raises(ValueError, match=r"00000\.parquet is not the index that manifest\.json lists"):
        list(describe(made))
    (made / "train" / "00000.parquet").unlink()
    with pytest.raises(ValueError, match=r"00000\.parquet is missing"):
        list(describe(made))


def test_a_set_at_an_address(root, bucket):
    bucket.fs.put(str(root), (bucket / "hq").path, recursive=True)
    there, here = (list(describe(where))[1:] for where in (bucket / "hq", root))
    assert there == here


def test_the_command_line_verifies_and_describes(root, tmp_path, capsys):
    assert main(["describe", str(root)]) == 0
    assert "num_frames" in capsys.readouterr().out
    made = pack(tmp_path / "set", [gray_clip(k, 5) for k in range(4)], [])
    assert main(["verify", str(made)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{made} is well: 4 samples in 2 shards"
    tar = made / "train" / "00001.tar"
    flip(tar, place_of(tar, 0, "mp4")["offset_bytes"])
    assert main(["verify", str(made), "--decode", "none"]) == 1
    *_, line, told = capsys.readouterr().out.splitlines()
    reason = f"sample {gray_clip(3, 5).key}, member mp4: its bytes have another CRC-32 than the index says"
    assert line == f"train/00001: BAD: {reason}" and told == f"{made} is BAD: 1 fault, the first: {line[:11]}: {reason}"
    assert main(["verify", str(tmp_path / "nowhere")]) == 1
    assert "error: " in capsys.readouterr().err


def test_help_loads_nothing_heavy():
    code = "import sys, shards.__main__ as m; m.make_parser().format_help(); print(*sys.modules)"
    loaded = run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pyarrow", "av", "fsspec", "upath", "torch"} & set(loaded)
