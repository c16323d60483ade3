"""What every scorer keeps, shown for each one found: its own test file gives a small offline form of it, `tiny()`."""

import importlib
import pickle
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
from footage import noise_scene, write_video

from curation.proxies import JpegFrames
from curation.safe_score import SafeScore, score_schema
from curation.scorer import Frames, Scorer
from shards.schema import CLIPS

FAMILIES = sorted(path.stem for path in Path("curation/scorers").glob("[!_]*.py"))
KINDS = ("moving", "still", "one frame", "small")
FPS, SECONDS, WIDTH = 10, 2, 128


def jpeg_row(time_s: float, picture: np.ndarray) -> dict:
    return {"time_s": time_s, "jpeg": cv2.imencode(".jpg", picture)[1].tobytes()}


def moving(seed: int, shift_px: float = 2.0, size: tuple[int, int] = (160, 120)) -> list[np.ndarray]:
    return noise_scene(seed, SECONDS * FPS, shift_px, size)


def proxies(frames: list[np.ndarray]) -> list[dict]:
    """Two a second, as split keeps them."""
    return [jpeg_row(k / FPS, picture) for k, picture in enumerate(frames) if k % (FPS // 2) == 0]


@pytest.fixture(scope="module")
def scenes() -> list[list[np.ndarray]]:
    """What the clips show, in the order of `KINDS`."""
    return [moving(1), moving(2, 0.0), moving(3)[:1], moving(4, 1.0, (32, 18))]


@pytest.fixture(scope="module")
def paths(scenes, tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("videos")
    return [str(write_video(folder / f"{k}.mp4", frames, FPS)) for k, frames in enumerate(scenes)]


@pytest.fixture(scope="module")
def frames(scenes) -> list[Frames]:
    return [JpegFrames(proxies(scene)) for scene in scenes]


@pytest.fixture(scope="module", params=FAMILIES)
def scorer(request) -> Scorer:
    return importlib.import_module(f"test_{request.param}").tiny()


@pytest.fixture(scope="module")
def score(scorer):
    return scorer.build()


def columns_for(scorer: Scorer, paths: list[str], scenes: list) -> pa.Table:
    """A table of what it reads, and the clips' ids."""
    n, rng = len(paths), np.random.default_rng(0)
    known = {
        "clip_id": [f"{k:020x}-000000000-000002000" for k in range(n)],
        "start_pts": [0] * n,
        "end_pts": [len(scene) * 1024 for scene in scenes],
        "time_base_num": [1] * n,
        "time_base_den": [FPS * 1024] * n,
        "path": paths,
        "captions": [["a red circle", "another"], [], ["  "], ["ein Bär läuft im Wald \u4f60\u597d " * 400]],
        "clip_embedding": list(unit(rng, n)),
        "clip_frame_embeddings": [list(unit(rng, frames)) for frames in (3, 2, 1, 3)],
    }
    made = {name: value(name, known, n) for name in dict.fromkeys(["clip_id", *scorer.reads])}
    return pa.table(made)


def value(name: str, known: dict, n: int) -> pa.Array:
    if name in known:
        return pa.array(known[name])
    if name in CLIPS.names:
        kind = CLIPS.field(name).type
        return pa.array([1] * n).cast(kind) if not pa.types.is_string(kind) else pa.array(["x"] * n)
    return pa.array([f"a caption of clip {k}" for k in range(n)])  # what another scorer wrote


def unit(rng: np.random.Generator, n: int) -> np.ndarray:
    values = rng.normal(size=(n, WIDTH))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float16)


@pytest.fixture
def table(scorer, paths, scenes) -> pa.Table:
    return columns_for(scorer, paths, scenes)


def same(one: object, other: object, exactly: bool) -> bool:
    """Equal values of a cell; numbers to float tolerance."""
    if one is None or other is None or isinstance(one, str):
        return one == other
    a, b = np.asarray(one, float), np.asarray(other, float)
    return np.array_equal(a, b) if exactly else a.shape == b.shape and np.allclose(a, b, rtol=1e-3, atol=1e-4)


def assert_same(one: pa.Table, other: pa.Table, exactly: bool = False) -> None:
    for name in one.column_names:
        for row, (a, b) in enumerate(zip(one[name].to_pylist(), other[name].to_pylist(), strict=True)):
            assert same(a, b, exactly), f"{name} of {KINDS[row]}: {a} or {b}"


def as_table(scorer: Scorer, columns: dict[str, Sequence]) -> pa.Table:
    """What a score gave, by its declared types."""
    made = {field.name: pa.array(columns[field.name], field.type) for field in scorer.writes}
    rows = len(columns[scorer.writes.names[0]])
    return pa.table(made | {"error": pa.array(columns.get("error", [None] * rows), pa.string())})


def test_it_can_be_sent_to_a_worker(scorer):
    assert pickle.loads(pickle.dumps(scorer)) == scorer and hash(type(scorer)) is not None


def test_its_columns_have_docs_and_names_of_their_own(scorer):
    assert len(scorer.writes) > 0
    for field in score_schema("it", scorer):
        assert field.metadata[b"doc"], field.name
        assert field.name.isidentifier()


def test_it_gives_the_columns_that_it_declares_and_no_others(scorer, score, table, frames):
    columns = score(table.select(list(scorer.reads)), frames)
    assert set(scorer.writes.names) <= set(columns) <= {*scorer.writes.names, "error"}
    assert {len(values) for values in columns.values()} == {len(table)}
    made = as_table(scorer, columns)
    moving = made.slice(0, 1).to_pylist()[0]
    assert moving["error"] is None and any(moving[name] is not None for name in scorer.writes.names)


def test_no_clips_give_no_rows(scorer, score, table):
    columns = score(table.select(list(scorer.reads)).slice(0, 0), [])
    assert set(scorer.writes.names) <= set(columns)
    assert {len(values) for values in columns.values()} == {0}


def test_a_clip_without_a_frame_is_null_with_a_reason(scorer, score, table, frames):
    if not scorer.reads_frames:
        pytest.skip("it looks at no frame")
    rows = as_table(scorer, score(table.select(list(scorer.reads)).slice(0, 2), [frames[0], []])).to_pylist()
    assert rows[1].pop("error") and set(rows[1].values()) == {None}
    assert rows[0]["error"] is None


def test_one_frame_does_not_break_it(scorer, score, table, frames):
    row = as_table(scorer, score(table.select(list(scorer.reads)).slice(2, 1), frames[2:3])).to_pylist()[0]
    assert row["error"] or any(row[name] is not None for name in scorer.writes.names)


def test_what_shares_a_batch_does_not_matter(scorer, score, table, frames):
    reads = table.select(list(scorer.reads))
    whole = as_table(scorer, score(reads, frames))
    alone = [as_table(scorer, score(reads.slice(row, 1), frames[row : row + 1])) for row in range(len(table))]
    assert_same(whole, pa.concat_tables(alone))


def test_it_says_the_same_again(scorer, score, table, frames):
    reads = table.select(list(scorer.reads))
    again = pickle.loads(pickle.dumps(scorer)).build()(reads, frames)
    assert_same(as_table(scorer, score(reads, frames)), as_table(scorer, again), exactly=True)


def test_a_broken_clip_is_null_with_a_reason_and_costs_no_other(scorer, table, frames, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    broken = JpegFrames([{"time_s": k / 2, "jpeg": b"no picture"} for k in range(4)])
    if "path" in scorer.reads:
        place = table.column_names.index("path")
        table = table.set_column(
            place, "path", pa.array([str(tmp_path / "broken.mp4"), *table["path"].to_pylist()[1:]])
        )
    elif not scorer.reads_frames:
        pytest.skip("it looks at no frame")
    rows = SafeScore("it", scorer)(table.slice(0, 2), [broken, frames[1]]).to_pylist()
    assert rows[0]["it_error"] and all(rows[0][name] is None for name in scorer.writes.names)
    assert rows[1]["it_error"] is None
