"""Shards as programs read them that know nothing of this project: plain `webdataset` and Hugging Face `datasets`."""

import io
import tarfile

import av
import pytest
from footage import number_of
from spoil import TRAIN, pack, place_of

from shards.reader import ShardSet
from shards.sample import Sample, arrow_schema
from shards.store import num_rows

LATE = (
    [  # what the first five samples lack, from which readers guess types
        Sample(s.key, s.content, s.meta | {"captions": [], "scores": {"motion": 0.5}, "motion_bucket": None})
        for s in TRAIN[:5]
    ]
    + [TRAIN[5]]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return pack(tmp_path_factory.mktemp("set")) / "train"


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """The library, with no way to the network and a cache that goes."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
            patch.setenv(name, "1")
        for name in ("HF_HOME", "HF_DATASETS_CACHE"):
            patch.setenv(name, str(tmp_path_factory.mktemp("cache")))
        import datasets

        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        patch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
        datasets.disable_progress_bars()
        yield datasets


def numbers(video: bytes) -> list[int]:
    with av.open(io.BytesIO(video)) as container:
        return [number_of(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def loaded(datasets, folder, streaming, **kwargs):
    files = {"train": [str(path) for path in sorted(folder.glob("*.tar"))]}
    rows = datasets.load_dataset("webdataset", data_files=files, split="train", streaming=streaming, **kwargs)
    return list(rows.cast_column("mp4", datasets.Video(decode=False)))


def test_webdataset_reads_a_set(folder):
    import webdataset

    urls = [str(path) for path in sorted(folder.glob("*.tar"))]
    read = list(webdataset.WebDataset(urls, shardshuffle=False).decode())
    assert [sample["__key__"] for sample in read] == [sample.key for sample in TRAIN]
    for sample, got in zip(TRAIN, read, strict=True):
        assert got["json"] == sample.meta and got["txt"] == sample.caption and got["mp4"] == sample.content
    assert numbers(read[0]["mp4"]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_reads_a_set(datasets, folder, streaming):
    rows = loaded(datasets, folder, streaming)
    assert [row["__key__"] for row in rows] == [sample.key for sample in TRAIN]
    for sample, row in zip(TRAIN, rows, strict=True):
        assert row["json"] == sample.meta and row["txt"] == sample.caption and row["mp4"]["bytes"] == sample.content
    assert numbers(rows[0]["mp4"]["bytes"]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_loses_nothing_where_it_is_told_the_types(datasets, tmp_path, streaming):
    folder = pack(tmp_path, LATE) / "train"
    features = datasets.Features.from_arrow_schema(arrow_schema(ShardSet(folder).index))
    rows = loaded(datasets, folder, streaming, features=features)
    for sample, row in zip(LATE, rows, strict=True):
        scores = {"luma_mean": None} | sample.meta["scores"]
        assert row["json"] == sample.meta | {"scores": scores} and row["mp4"]["bytes"] == sample.content


def test_by_guessing_types_datasets_would_lose_scores(datasets, tmp_path):
    """Why `arrow_schema` is there; where this fails, it is no longer needed."""
    rows = loaded(datasets, pack(tmp_path, LATE) / "train", streaming=True)
    assert "luma_mean" not in rows[-1]["json"]["scores"]


def test_any_program_can_take_a_sample_by_the_index(folder):
    tar = folder / "00001.tar"
    assert num_rows(tar.with_suffix(".parquet")) == 3
    place = place_of(tar, 2, "mp4")
    data = tar.read_bytes()[place["offset_bytes"] :][: place["size_bytes"]]
    assert data == TRAIN[5].content


def test_there_is_no_pickle_in_a_set(folder):
    """`webdataset` and others unpickle members by their extension, which runs what an enemy wrote there."""
    files = [path for path in folder.parent.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".tar", ".parquet", ".json"}
    for path in files:
        if path.suffix == ".tar":
            with tarfile.open(path) as tar:
                assert {name.split(".", 1)[1] for name in tar.getnames()} == {"json", "mp4", "txt"}
