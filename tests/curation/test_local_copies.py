from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from curation.local_copies import LocalCopies
from shards.places import place
from shards.video import VideoError

SIZE = 1000


@pytest.fixture
def server():
    """A web server that sends files whole or not at all; its address, and the names of those it sent."""
    content, sent = {f"/{name}.mp4": name.encode() * SIZE for name in "abc"}, []

    class Whole(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content[self.path])))
            self.end_headers()
            if self.command == "GET":
                sent.append(self.path[1])  # before it is there, or who reads it would be first
                self.wfile.write(content[self.path])

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Whole)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", sent
    server.shutdown()


def read_each(server: str, names: str, max_bytes: int) -> None:
    copies = LocalCopies()
    for name in names:
        assert copies.take(place(f"{server}/{name}.mp4"), max_bytes).read() == name.encode() * SIZE


def copied(server: tuple[str, list[str]], names: str, max_bytes: int) -> str:
    """Which files are fetched when these are asked for one after the other."""
    server[1].clear()
    read_each(server[0], names, max_bytes)
    return "".join(server[1])


def test_copies_serve_as_long_as_all_of_them_are_within_the_limit(server):
    assert copied(server, "abababc", 3 * SIZE) == "abc"
    assert copied(server, "abababc", SIZE) == "abababc"
    assert copied(server, "abacab", 2 * SIZE) == "abcb", "the one unused for longest goes"
    with pytest.raises(VideoError, match=f"too large to copy: more than {SIZE - 1} bytes"):
        read_each(server[0], "a", SIZE - 1)
