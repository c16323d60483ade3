import errno
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from curation.stamp import (
    MAX_LOOKED_AT,
    NO_STAMP,
    STAMP,
    SourceLost,
    refuse_changed,
    refuse_common_loss,
    stamp_of,
    stamp_told,
    unreadable_id,
)


@pytest.fixture(params=["disk", "address"])
def folder(request, tmp_path):
    """A folder, on disk and at an address."""
    return tmp_path if request.param == "disk" else request.getfixturevalue("bucket")


def test_a_file_that_stayed_passes_and_one_that_did_not_is_named(folder):
    file, path = folder / "a.mp4", f"{folder}/a.mp4"
    file.write_bytes(b"one")
    stamp = stamp_of(path)
    assert stamp[0] == 3 and (stamp[1] is None) != (stamp[2] is None)
    refuse_changed(path, "v", *stamp)
    file.write_bytes(b"other")
    with pytest.raises(SourceLost) as found:
        refuse_changed(path, "v", *stamp)
    assert found.value.args == (errno.ESTALE, "changed since it was listed") and found.value.filename == path
    file.unlink()
    with pytest.raises(SourceLost) as found:
        refuse_changed(path, "v", *stamp)
    assert found.value.args == (errno.ENOENT, "gone since it was listed") and found.value.filename == path


def test_equal_size_and_other_content_is_told_by_the_etag(bucket):
    (bucket / "a.mp4").write_bytes(b"one")
    stamp = stamp_of(f"{bucket}/a.mp4")
    (bucket / "a.mp4").write_bytes(b"two")
    with pytest.raises(SourceLost, match="changed since"):
        refuse_changed(f"{bucket}/a.mp4", "v", *stamp)
    (bucket / "a.mp4").write_bytes(b"one")
    refuse_changed(f"{bucket}/a.mp4", "v", *stamp)


def test_what_could_not_be_read_then_may_be_anything_now(folder):
    path = f"{folder}/gone.mp4"
    assert stamp_of(path) == NO_STAMP
    refuse_changed(path, unreadable_id(path), *NO_STAMP)


def listed(*paths: str) -> list[dict]:
    """Rows of `inputs` of files as they are."""
    return [{"path": path, "video_id": "v", **dict(zip(STAMP, stamp_of(path), strict=True))} for path in paths]


def loss_of(path: str, rows: list[dict]) -> None:
    refuse_common_loss(SourceLost(errno.ENOENT, "gone since it was listed", path), rows)


def test_a_file_is_lost_alone_where_another_one_stands_as_it_was(folder):
    paths = [f"{folder}/{number}/{name}.mp4" for number, name in enumerate("abc")]
    for number, name in enumerate("abc"):
        (folder / str(number)).mkdir(parents=True, exist_ok=True)
        (folder / str(number) / f"{name}.mp4").write_bytes(b"one")
    rows = listed(*paths)
    (folder / "0" / "a.mp4").unlink()
    loss_of(paths[0], rows)
    (folder / "1" / "b.mp4").write_bytes(b"other")
    loss_of(paths[0], rows)
    (folder / "2" / "c.mp4").unlink()
    with pytest.raises(OSError, match=r"a\.mp4: gone since it was listed, and so is every other .* mounted\?") as found:
        loss_of(paths[0], rows)
    assert not isinstance(found.value, SourceLost)


def test_what_stands_elsewhere_says_nothing(tmp_path, bucket, monkeypatch):
    for path in (tmp_path / "share" / "a.mp4", tmp_path / "disk" / "b.mp4"):
        path.parent.mkdir()
        path.write_bytes(b"one")
    (bucket / "c.mp4").write_bytes(b"one")
    lost = f"{tmp_path}/share/a.mp4"
    rows = listed(lost, f"{tmp_path}/disk/b.mp4", f"{bucket}/c.mp4")
    Path(lost).unlink()
    loss_of(lost, rows)
    stat = Path.stat
    monkeypatch.setattr(
        Path, "stat", lambda path, **_: SimpleNamespace(st_dev="share" in str(path), st_mode=stat(path).st_mode)
    )
    with pytest.raises(OSError, match="mounted"):
        loss_of(lost, rows)


def test_not_all_files_of_a_lost_share_are_looked_at(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"one")
    gone = [
        {"path": f"{tmp_path}/{n}.mp4", "video_id": "v", "size_bytes": 1, "mtime_ns": 1, "etag": None}
        for n in range(MAX_LOOKED_AT)
    ]
    loss_of(f"{tmp_path}/b.mp4", [*gone[1:], *listed(f"{tmp_path}/a.mp4")])
    with pytest.raises(OSError, match="mounted"):
        loss_of(f"{tmp_path}/b.mp4", [*gone, *listed(f"{tmp_path}/a.mp4")])


def test_a_bucket_that_is_not_there_is_no_missing_file(s3_server):
    with pytest.raises(OSError, match="there is no bucket no-such-bucket"):
        stamp_of("s3://no-such-bucket/a.mp4")
    with pytest.raises(OSError, match="there is no bucket no-such-bucket"):
        refuse_changed("s3://no-such-bucket/a.mp4", "v", 1, None, "etag")


def test_a_server_without_etags_is_believed_its_time():
    time = datetime(2020, 1, 1, tzinfo=UTC)
    assert stamp_told({"size": 1, "created": time}) == (1, 1577836800 * 10**9, None)
    assert stamp_told({"size": 1, "LastModified": time, "ETag": '"x"'}) == (1, None, "x")
    assert stamp_told({"size": 1}) == (1, None, None)
