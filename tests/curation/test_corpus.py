import contextlib
import errno
import logging
import math
import os
import shutil
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.config import InputsConfig
from curation.corpus import first_paths, listed_near, spans_of, update_inputs, video_id
from curation.listing import list_videos, sample_stably
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
        (lambda f: (f / "t.csv").write_text("path,video_id\nb.mp4,1\n") and f / "t.csv", "rename the columns"),
        (lambda f: (f / "t.jsonl").write_text("{broken\n") and f / "t.jsonl", "cannot be read as a table"),
        (lambda f: (f / "t.jsonl").write_text("[1]\n") and f / "t.jsonl", "row 1 is not one value for each column"),
        (lambda f: (f / "t.csv").write_text("path\nb.mp4,x\n") and f / "t.csv", "row 1 is not one value"),
        (lambda f: (f / "t.csv").write_text("a,path\n1,b.mp4\n2\n") and f / "t.csv", r"t\.csv: row 2: `path` must be"),
        (lambda f: (f / "t.csv").write_text("a,path\n1,\n") and f / "t.csv", r"t\.csv: row 1: `path` is empty"),
        (lambda f: (f / "t.jsonl").write_text('{"path": 3}\n') and f / "t.jsonl", r"t\.jsonl: row 1: `path` must be"),
        (
            lambda f: (f / "t.jsonl").write_text('{"path": "b.mp4"}\n{"path": 3}\n') and f / "t.jsonl",
            r"t\.jsonl .*row 2, column `path`",
        ),
    ],
)
def test_wrong_inputs_are_refused_in_words(footage, make, words):
    with pytest.raises(ValueError, match=words):
        list_videos(str(make(footage)))


def test_a_key_that_the_first_line_lacks_is_kept(footage):
    (footage / "t.jsonl").write_text('{"path": "a.mkv"}\n{"path": "b.mp4", "licence": "CC0"}\n')
    assert list_videos(str(footage / "t.jsonl"))["licence"].to_pylist() == [None, "CC0"]


@pytest.mark.parametrize("bad", [b"caf\xe9.mp4", b"caf\xe9/fine.mp4"])
def test_a_name_that_is_not_utf8_is_refused_before_work_starts(footage, bad):
    path = os.path.join(os.fsencode(footage), bad)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    for videos in (str(footage), f"{footage}/**/*.mp4"):
        with pytest.raises(ValueError, match=r"footage' holds 'caf\\udce9.*not UTF-8.*Rename it"):
            list_videos(videos)


def test_a_suffix_that_is_not_utf8_can_be_logged(footage, caplog):
    with contextlib.suppress(OSError), open(os.path.join(os.fsencode(footage), b"note.\xe9"), "wb"):
        pass
    with caplog.at_level(logging.INFO):
        list_videos(str(footage))
    caplog.text.encode("utf-8")


def test_files_of_one_name_are_ranked_by_path():
    paths = [f"/d{number:03d}/video.mp4" for number in range(200)]
    samples = [sample_stably(pa.table({"path": paths}), limit)["path"].to_pylist() for limit in (20, 50)]
    assert samples[0] != paths[:20] and set(samples[0]) < set(samples[1])
    assert samples[0] == sorted(sample_stably(pa.table({"path": paths[::-1]}), 20)["path"].to_pylist())


@pytest.mark.parametrize("limit", [0, -3])
def test_a_sample_of_nothing_is_refused(limit):
    with pytest.raises(ValueError, match=f"limit: {limit} "):
        sample_stably(pa.table({"path": ["/a.mp4"]}), limit)


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


def test_a_disk_that_fails_gives_no_id(footage, monkeypatch):
    def fail(path):
        raise OSError(errno.EIO, "Input/output error", path)

    monkeypatch.setattr("curation.corpus.content", fail)
    with pytest.raises(OSError, match="Input/output error"):
        video_id(str(footage / "b.mp4"))


def test_files_that_are_listed_no_more_are_counted(footage, tmp_path, caplog):
    corpus = Corpus(tmp_path / "out")
    with caplog.at_level(logging.INFO):
        update_inputs(corpus, list_videos(str(footage)), InputsConfig())
        assert "not in VIDEOS now" not in caplog.text
        (footage / "a.mkv").unlink()
        update_inputs(corpus, list_videos(str(footage)), InputsConfig())
    assert f"1 files of this corpus are not in VIDEOS now (nor in its LIMIT), e.g. {footage / 'a.mkv'}" in caplog.text
    assert len(corpus.read_all("inputs")) == 4


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


def test_a_changed_file_is_told_and_stays_what_it_was_unless_all_have_changed(footage, tmp_path, caplog):
    corpus = Corpus(tmp_path / "out")
    update_inputs(corpus, list_videos(str(footage)), InputsConfig())
    before = corpus.read_all("inputs")
    (footage / "b.mp4").write_bytes(b"other footage")
    (footage / "d.mp4").write_bytes(b"new")
    assert update_inputs(corpus, list_videos(str(footage)), InputsConfig()) == 1
    assert "1 files have changed since they were listed, e.g. " + str(footage / "b.mp4") in caplog.text
    assert corpus.read("inputs", "part-00000") == before
    for path in footage.rglob("*.*"):
        os.utime(path, ns=(1, 1))
    with pytest.raises(
        ValueError, match=r"a\.mkv has changed .* every file that was listed before \(5\).* FORCE=split"
    ):
        update_inputs(corpus, list_videos(str(footage)), InputsConfig())


def test_rows_near_a_part_come_nearest_first(footage, tmp_path):
    corpus = Corpus(tmp_path / "out")
    update_inputs(corpus, list_videos(str(footage)), InputsConfig(part_max_videos=1))
    near = [row["path"].rsplit("/")[-1] for row in listed_near(corpus, "part-00002")]
    assert near == ["c ü.MP4", "b.mp4", "copy.mov", "a.mkv"]


def test_an_unreadable_file_gets_an_id_of_its_own(tmp_path):
    one, two = (str(tmp_path / name) for name in ("gone1.mp4", "gone2.mp4"))
    assert len(video_id(one)) == 20 and video_id(one) != video_id(two)
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_spans_of_byte_copies_are_united_and_sorted(footage, tmp_path):
    corpus = Corpus(tmp_path / "out")
    rows = "path,start_s,end_s\nb.mp4,2,3\nb.mp4,,1\na.mkv,,\nsub/copy.mov,2,3\nsub/copy.mov,5,\n"
    (footage / "t.csv").write_text(rows)
    update_inputs(corpus, list_videos(str(footage / "t.csv")), InputsConfig(part_max_videos=2))
    copied = video_id(str(footage / "b.mp4"))
    assert spans_of(corpus, "part-00000") == {copied: [(0.0, 1.0), (2.0, 3.0), (5.0, math.inf)]}
    assert spans_of(corpus, "part-00001") == spans_of(corpus, "part-00000"), "the copy is listed there"
    assert corpus.read_all("inputs")["spans"].null_count == 1


def test_another_table_about_a_listed_file_is_refused(footage, tmp_path):
    corpus, table = Corpus(tmp_path / "out"), footage / "t.csv"
    table.write_text("path,start_s,end_s,caption\nb.mp4,0,1,one\n")
    assert update_inputs(corpus, list_videos(str(table)), InputsConfig()) == 1
    assert update_inputs(corpus, list_videos(str(table)), InputsConfig()) == 0
    assert update_inputs(corpus, list_videos(str(footage / "b.mp4")), InputsConfig()) == 0, "no table says nothing"
    for changed in ("0,2,one", "0,1,two"):
        table.write_text(f"path,start_s,end_s,caption\nb.mp4,{changed}\n")
        with pytest.raises(ValueError, match=r"other spans or captions of .*b\.mp4 .*FORCE=split"):
            update_inputs(corpus, list_videos(str(table)), InputsConfig())


def test_copies_on_disk_and_at_an_address_are_one_video(footage, bucket, tmp_path):
    (bucket / "b.mp4").write_bytes((footage / "b.mp4").read_bytes())
    (footage / "t.csv").write_text(f"path\nb.mp4\n{bucket}/b.mp4\na.mkv\n{bucket}/gone.mp4\n")
    corpus = Corpus(tmp_path / "out")
    update_inputs(corpus, list_videos(str(footage / "t.csv")), InputsConfig())
    rows = {row["path"]: row for row in corpus.read_all("inputs").to_pylist()}
    there, here = rows[f"{bucket}/b.mp4"], rows[str(footage / "b.mp4")]
    assert there["video_id"] == here["video_id"] and len(first_paths(corpus)["part-00000"]) == 3
    assert (there["size_bytes"], there["mtime_ns"], here["etag"]) == (2, None, None)
    assert there["etag"] and here["mtime_ns"]
    assert rows[f"{bucket}/gone.mp4"]["size_bytes"] is None


def test_an_address_whose_content_changed_is_refused(footage, bucket, tmp_path):
    corpus = Corpus(tmp_path / "out")
    (bucket / "b.mp4").write_bytes(b"bb")
    assert update_inputs(corpus, list_videos(str(bucket)), InputsConfig()) == 1
    (bucket / "b.mp4").write_bytes(b"cc")
    with pytest.raises(ValueError, match=r"b\.mp4 has changed .* FORCE=split"):
        update_inputs(corpus, list_videos(str(bucket)), InputsConfig())


def test_prefix_glob_file_and_table_at_an_address_list_the_same_way(bucket, caplog):
    for name in ("b.mp4", "sub/a b#.MP4", "sub/c.mov", "note.md"):
        (bucket / name).write_bytes(name.encode())
    with caplog.at_level(logging.INFO):
        assert names(list_videos(str(bucket))) == ["b.mp4", "a b#.MP4", "c.mov"]
    assert "1 .md" in caplog.text
    assert list_videos(f"{bucket}/**/*.mov")["path"].to_pylist() == [f"{bucket}/sub/c.mov"]
    assert names(list_videos(f"{bucket}/b.mp4")) == ["b.mp4"]
    (bucket / "sub/list.csv").write_text("path,licence\n../b.mp4,CC0\nc.mov,CC-BY\n")
    table = list_videos(f"{bucket}/sub/list.csv")
    assert table.to_pydict() == {"path": [f"{bucket}/b.mp4", f"{bucket}/sub/c.mov"], "licence": ["CC0", "CC-BY"]}


def test_a_part_that_was_lost_is_not_numbered_anew(footage, tmp_path):
    corpus, config = Corpus(tmp_path / "out"), InputsConfig(part_max_videos=1)
    update_inputs(corpus, list_videos(str(footage)), config)
    last = corpus.path("inputs", "part-00003").read_bytes()
    corpus.path("inputs", "part-00001").unlink()
    assert update_inputs(corpus, list_videos(str(footage)), config) == 1
    assert corpus.parts("inputs") == ["part-00000", "part-00002", "part-00003", "part-00004"]
    assert corpus.path("inputs", "part-00003").read_bytes() == last


def test_a_corpus_of_another_version_is_told_in_words(tmp_path):
    path = Corpus(tmp_path).path("videos", "part-00000")
    path.parent.mkdir()
    pq.write_table(pa.table({"video_id": ["v"]}), path)
    with pytest.raises(ValueError, match=r"part-00000.parquet lacks \['failed_s'\]: another version .* FORCE=split"):
        Corpus(tmp_path).read("videos", "part-00000", ["video_id", "failed_s"])
