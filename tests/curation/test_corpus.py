import logging
import shutil
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.config import InputsConfig
from curation.corpus import first_paths, list_videos, sample_stably, update_inputs, video_id
from curation.tables import Corpus


@pytest.fixture
def footage(tmp_path):
    folder = tmp_path / "footage"
    (folder / "sub").mkdir(parents=True)
    for name, content in {"b.mp4": b"bb", "a.mkv": b"aaa", "sub/c ü.MP4": b"c", "sub/copy.mov": b"bb"}.items():
        (folder / name).write_bytes(content)
    (folder / "note.txt").write_text("no video")
    return folder


def names(table: pa.Table) -> list[str]:
    return [path.rsplit("/", 1)[1] for path in table["path"].to_pylist()]


def test_folder_glob_file_and_table_list_the_same_way(footage):
    assert names(list_videos(str(footage))) == ["a.mkv", "b.mp4", "c ü.MP4", "copy.mov"]
    assert names(list_videos(f"{footage}/**/*.mov")) == ["copy.mov"]
    assert names(list_videos(str(footage / "b.mp4"))) == ["b.mp4"]
    (footage / "list.csv").write_text("path,licence\nsub/copy.mov,CC0\nb.mp4,CC-BY\n")
    table = list_videos(str(footage / "list.csv"))
    assert names(table) == ["b.mp4", "copy.mov"] and table["licence"].to_pylist() == ["CC-BY", "CC0"]
    pq.write_table(table, footage / "list.parquet")
    assert names(list_videos(str(footage / "list.parquet"))) == ["b.mp4", "copy.mov"]


def test_other_files_are_named_not_dropped_silently(footage, caplog):
    with caplog.at_level(logging.INFO):
        list_videos(str(footage))
    assert "1 .txt" in caplog.text


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda f: f / "nowhere", "no such folder"),
        (lambda f: f / "*.avi", "no video file there"),
        (lambda f: (f / "e").mkdir() or f / "e", "no video file there"),
        (lambda f: (f / "t.csv").write_text("file\nb.mp4\n") and f / "t.csv", "no column `path`"),
        (lambda f: (f / "t.csv").write_text("path\nb.mp4\nb.mp4\n") and f / "t.csv", "more than one row"),
        (lambda f: (f / "t.csv").write_text("path,video_id\nb.mp4,1\n") and f / "t.csv", "rename the columns"),
        (lambda f: (f / "t.jsonl").write_text("{broken\n") and f / "t.jsonl", "cannot be read as a table"),
    ],
)
def test_wrong_inputs_are_refused_in_words(footage, make, words):
    with pytest.raises(ValueError, match=words):
        list_videos(str(make(footage)))


def test_a_larger_sample_keeps_the_smaller_one(footage):
    listed = list_videos(str(footage))
    samples = [set(names(sample_stably(listed, limit))) for limit in (1, 2, 3, 4, 9)]
    assert [len(sample) for sample in samples] == [1, 2, 3, 4, 4]
    assert all(small <= large for small, large in pairwise(samples))


def test_ids_are_of_content_and_copies_have_one_owner(footage, tmp_path):
    corpus = Corpus(tmp_path / "out")
    assert update_inputs(corpus, list_videos(str(footage)), InputsConfig(part_max_videos=2)) == 4
    assert corpus.parts("inputs") == ["part-00000", "part-00001"]
    owners = first_paths(corpus)
    assert sum(map(len, owners.values())) == 3, "four files, two of them byte copies"
    assert video_id(str(footage / "b.mp4")) == video_id(str(footage / "sub/copy.mov"))


def test_parts_close_at_bytes(footage, tmp_path):
    corpus = Corpus(tmp_path / "out")
    update_inputs(corpus, list_videos(str(footage)), InputsConfig(part_max_bytes=4))
    assert [len(corpus.read("inputs", part)) for part in corpus.parts("inputs")] == [1, 2, 1]


def test_new_files_make_new_parts_and_old_parts_stay(footage, tmp_path):
    corpus = Corpus(tmp_path / "out")
    update_inputs(corpus, list_videos(str(footage)), InputsConfig())
    before = corpus.path("inputs", "part-00000").read_bytes()
    assert update_inputs(corpus, list_videos(str(footage)), InputsConfig()) == 0
    (footage / "aa.mp4").write_bytes(b"new")
    assert update_inputs(corpus, list_videos(str(footage)), InputsConfig()) == 1
    assert corpus.parts("inputs") == ["part-00000", "part-00001"]
    assert corpus.path("inputs", "part-00000").read_bytes() == before


def test_an_interrupted_listing_ends_as_an_unbroken_one(footage, tmp_path):
    whole, broken = Corpus(tmp_path / "whole"), Corpus(tmp_path / "broken")
    config = InputsConfig(part_max_videos=1)
    for corpus in (whole, broken):
        update_inputs(corpus, list_videos(str(footage)), config)
    for part in ("part-00002", "part-00003"):
        broken.path("inputs", part).unlink()
    update_inputs(broken, list_videos(str(footage)), config)
    for part in whole.parts("inputs"):
        assert whole.path("inputs", part).read_bytes() == broken.path("inputs", part).read_bytes()


def test_a_changed_file_is_refused_with_the_way_out(footage, tmp_path):
    corpus = Corpus(tmp_path / "out")
    update_inputs(corpus, list_videos(str(footage)), InputsConfig())
    (footage / "b.mp4").write_bytes(b"other footage")
    with pytest.raises(ValueError, match=r"b\.mp4 has changed .* FORCE=split"):
        update_inputs(corpus, list_videos(str(footage)), InputsConfig())


def test_an_unreadable_file_gets_an_id_of_its_own(tmp_path):
    one, two = (str(tmp_path / name) for name in ("gone1.mp4", "gone2.mp4"))
    assert len(video_id(one)) == 20 and video_id(one) != video_id(two)
    shutil.rmtree(tmp_path, ignore_errors=True)
