import errno
from datetime import UTC, datetime

import pytest

from curation.stamp import NO_STAMP, refuse_changed, stamp_of, stamp_told, unreadable_id


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
    with pytest.raises(OSError, match=r"a\.mp4 has changed since it was listed; bring it back") as found:
        refuse_changed(path, "v", *stamp)
    assert found.value.errno == errno.ESTALE
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.mp4 is gone since it was listed"):
        refuse_changed(path, "v", *stamp)


def test_equal_size_and_other_content_is_told_by_the_etag(bucket):
    (bucket / "a.mp4").write_bytes(b"one")
    stamp = stamp_of(f"{bucket}/a.mp4")
    (bucket / "a.mp4").write_bytes(b"two")
    with pytest.raises(OSError, match="has changed"):
        refuse_changed(f"{bucket}/a.mp4", "v", *stamp)
    (bucket / "a.mp4").write_bytes(b"one")
    refuse_changed(f"{bucket}/a.mp4", "v", *stamp)


def test_what_could_not_be_read_then_may_be_anything_now(folder):
    path = f"{folder}/gone.mp4"
    assert stamp_of(path) == NO_STAMP
    refuse_changed(path, unreadable_id(path), *NO_STAMP)


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
