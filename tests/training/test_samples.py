"""The table of sampled videos: what counts as there, as missing, and as somebody else's."""

import pytest

from shards.schema import field
from training.samples import SAMPLES, SampleFolder


def row(name, **other):
    values: dict = {f.name: 1 if str(f.type).startswith(("int", "double")) else f.name for f in SAMPLES}
    values["images_sha256"] = ["0", "1"]
    files = {"video": f"{name}.mp4", "animation": f"{name}.gif", "sheet": f"{name}.png"}
    return values | {"caption": name} | files | other


@pytest.fixture
def samples(tmp_path):
    return SampleFolder(tmp_path / "new")


def make(samples, *rows):
    samples.announce(rows)
    for each in rows:
        for path in samples.files(each):
            path.write_text(each["caption"])


def test_every_column_is_explained():
    assert all(f.metadata == field("", f.type, f.metadata[b"doc"].decode(), f.metadata[b"unit"].decode()).metadata
               and f.metadata[b"doc"] for f in SAMPLES)  # fmt: skip


def test_what_was_made_with_the_same_is_there(samples):
    a, b = row("a"), row("b")
    assert samples.missing([a, b]) == [a, b] and not samples.folder.exists()
    make(samples, a)
    assert samples.missing([a, b]) == [b]
    make(samples, b)
    assert samples.missing([b, a]) == [] and samples.rows() == {"a.mp4": a, "b.mp4": b}


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.png"])
def test_a_video_is_made_again_where_a_file_is_gone(samples, name):
    make(samples, row("a"))
    (samples.folder / name).unlink()
    assert samples.missing([row("a")]) == [row("a")]


def test_other_settings_are_refused_unless_forced(samples):
    make(samples, row("a"), row("b"))
    other = row("a", sampler="{}")
    with pytest.raises(ValueError, match=r"a\.mp4 was made with another sampler 'sampler'.*--force"):
        samples.missing([row("b"), other])
    assert samples.missing([row("b"), other], force=True) == [other]
    samples.announce([other])
    assert not any(path.exists() for path in samples.files(other))  # what a killed run leaves out is missing
    assert samples.missing([other]) == [other] and list(samples.rows()) == ["a.mp4", "b.mp4"]
    assert samples.rows()["a.mp4"] == other and samples.rows()["b.mp4"] == row("b")


def test_unknown_files_are_not_overwritten(samples):
    samples.folder.mkdir()
    (samples.folder / "a.gif").touch()
    with pytest.raises(ValueError, match=r"a\.gif is not known to .*samples\.parquet"):
        samples.missing([row("a")])
    assert samples.missing([row("a")], force=True) == [row("a")]


def test_two_videos_of_one_name_are_refused(samples):
    with pytest.raises(ValueError, match=r"two captions.*a\.mp4.*'A!' with seed 1"):
        samples.missing([row("a"), row("a", caption="A!")])


@pytest.mark.parametrize("content", [b"nothing", b""])
def test_a_damaged_table(samples, content):
    samples.folder.mkdir()
    samples.table.write_bytes(content)
    with pytest.raises(ValueError, match=r"samples\.parquet cannot be read"):
        samples.missing([row("a")])


def test_equal_rows_give_equal_bytes(samples, tmp_path):
    samples.announce([row("a")])
    other = SampleFolder(tmp_path / "other")
    other.announce([row("a")])
    assert samples.table.read_bytes() == other.table.read_bytes()
