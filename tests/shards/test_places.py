import errno
import io
import pickle
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from shards.places import BLOCK_BYTES, AddressedFile, name_in, place, reaching, refuse_absent_bucket, stream

CONTENT = bytes(range(256)) * (3 * BLOCK_BYTES // 256) + b"end"


def test_a_name_is_a_path_or_an_address(bucket, tmp_path):
    assert place(str(tmp_path)) == tmp_path
    assert place(f"file://{tmp_path}") == tmp_path
    assert isinstance(place("~/a"), Path) and "~" not in str(place("~/a"))
    assert str(place(f"{bucket}/a b#?ü.mp4")) == f"{bucket}/a b#?ü.mp4"


@pytest.mark.parametrize(
    ("name", "words"),
    [("nothing://x/y", "Unsupported filesystem"), ("gs://x/y", "gcsfs"), ("zip://a.mp4::s3://b/c.zip", "another")],
)
def test_what_no_library_reads_is_refused_in_words(name, words):
    with pytest.raises(ValueError, match=words):
        place(name)


def test_names_in_a_folder_count_from_it(bucket, tmp_path):
    assert name_in(tmp_path, "a/../b.mp4") == str(tmp_path / "b.mp4")
    assert name_in(bucket / "t", "../b.mp4") == f"{bucket}/b.mp4"
    assert name_in(tmp_path, f"{bucket}/b.mp4") == f"{bucket}/b.mp4"
    assert name_in(bucket, "/films/b.mp4") == "/films/b.mp4"
    assert name_in(bucket, f"file://{tmp_path}/b.mp4") == f"{tmp_path}/b.mp4"
    for wrong in ("nothing://a", f"zip://a::{bucket}/b"):
        with pytest.raises(ValueError, match=r"cannot be read|is not read"):
            name_in(tmp_path, wrong)


def test_a_place_can_be_sent_to_another_process(bucket):
    (bucket / "a").write_bytes(b"x")
    assert pickle.loads(pickle.dumps(bucket / "a")).read_bytes() == b"x"


def test_a_file_is_read_in_blocks_back_and_forth(bucket):
    (bucket / "a.bin").write_bytes(CONTENT)
    with AddressedFile(bucket / "a.bin") as file:
        assert file.gives_parts() and file.read(4) == CONTENT[:4] and file.name == "a.bin"
        assert file.seek(-3, io.SEEK_END) == len(CONTENT) - 3 and file.read() == b"end"
        file.seek(BLOCK_BYTES - 2)
        assert file.read(4) == CONTENT[BLOCK_BYTES - 2 : BLOCK_BYTES + 2]
    assert b"".join(stream(bucket / "a.bin")) == CONTENT


def test_what_is_not_there_is_told_from_what_cannot_be_reached(bucket, monkeypatch):
    with pytest.raises(FileNotFoundError) as found:
        AddressedFile(bucket / "gone.bin")
    assert found.value.filename == f"{bucket}/gone.bin"
    refuse_absent_bucket(bucket / "gone.bin")
    with pytest.raises(OSError, match="there is no bucket no-such-bucket"):
        refuse_absent_bucket(place("s3://no-such-bucket/a.bin"))


def test_trouble_is_told_in_words_with_the_way_out():
    from botocore.exceptions import EndpointConnectionError, NoCredentialsError

    with pytest.raises(OSError, match="no credentials were found; set AWS_ACCESS_KEY_ID") as found, reaching("s3://b"):
        raise NoCredentialsError
    assert found.value.errno == errno.EIO and found.value.filename == "s3://b"
    with pytest.raises(OSError, match="cannot be reached; look at the network"), reaching("s3://b"):
        raise EndpointConnectionError(endpoint_url="http://x")
    with pytest.raises(OSError, match="access is denied"), reaching("s3://b"):
        raise PermissionError("Forbidden")
    with pytest.raises(ZeroDivisionError), reaching("s3://b"):
        raise ZeroDivisionError  # a defect of ours stays one
    full = OSError(errno.ENOSPC, "No space left on device", "/tmp/x")
    with pytest.raises(OSError, match="No space") as found, reaching("s3://b"):
        raise full
    assert found.value is full


class WithoutRanges(BaseHTTPRequestHandler):
    """A web server that sends files whole or not at all."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(CONTENT)

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_without_ranges_is_found_out_and_read_from_the_start():
    server = ThreadingHTTPServer(("127.0.0.1", 0), WithoutRanges)
    Thread(target=server.serve_forever, daemon=True).start()
    where = place(f"http://127.0.0.1:{server.server_port}/a.bin")
    assert not isinstance(where, Path)
    with AddressedFile(where) as file:
        assert not file.gives_parts()
    assert b"".join(stream(where)) == CONTENT
    server.shutdown()
