"""Serves a polling booth on loopback: a page, the two videos it shows, and nothing else.

Paths name tokens, never files. Pages of other sites cannot reach it: a request must name a loopback host (so a foreign
name that was made to point here is refused), and what changes something must come from this page's own origin.
"""

import json
import re
import sys
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from training.ablation.booth import Booth, Stale

TEMPLATES = Path(__file__).parent / "templates"
FILES = {
    "/": ("vote.html", "text/html; charset=utf-8"),
    "/vote.css": ("vote.css", "text/css; charset=utf-8"),
    "/vote.js": ("vote.js", "text/javascript; charset=utf-8"),
}
LOOPBACK = "127.0.0.1"
HOST = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
MOST_BYTES = 4096
"""Of what a page may send."""


class VoteServer(ThreadingHTTPServer):
    """A server on 127.0.0.1.

    Args:
        booth: what it shows.
        port: 0 takes a free one.

    Raises:
        ValueError: the port is taken, or out of range.
    """

    daemon_threads = True

    def __init__(self, booth: Booth, port: int) -> None:
        self.booth = booth
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except (OSError, OverflowError) as error:
            raise ValueError(f"port {port} cannot be used ({error}): name another (--port, PORT=)") from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Passes over a browser that hangs up, as it does when it leaves a video."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: VoteServer  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    timeout = 60
    server_version, sys_version = "Rushes", ""

    def do_GET(self) -> None:
        if self._is_foreign():
            self._refuse(HTTPStatus.FORBIDDEN)
        elif self.path in FILES:
            name, kind = FILES[self.path]
            self._send((TEMPLATES / name).read_bytes(), kind)
        elif self.path == "/match":
            self._send_match()
        else:
            self._send_video(self.path.removeprefix("/video/"))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self._is_foreign() or self.headers.get("Origin") != f"http://{self.headers.get('Host')}":
            self._refuse(HTTPStatus.FORBIDDEN)
        elif not length.isdecimal() or int(length) > MOST_BYTES:
            self._refuse(HTTPStatus.BAD_REQUEST)
        else:
            self._act(self.rfile.read(int(length)))

    def _act(self, body: bytes) -> None:
        booth = self.server.booth
        try:
            told = json.loads(body)
            match self.path:
                case "/vote":
                    booth.vote(told["token"], told["choice"])
                case "/skip":
                    booth.skip(told["token"])
                case "/undo":
                    booth.undo()
                case _:
                    return self._refuse(HTTPStatus.NOT_FOUND)
        except Stale:
            pass  # a second click, or a page from before: it gets what is shown now
        except (ValueError, KeyError, TypeError, RecursionError):
            return self._refuse(HTTPStatus.BAD_REQUEST)
        except OSError as error:
            return self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, f"the vote could not be written: {error.strerror}")
        self._send_match()

    def _is_foreign(self) -> bool:
        return not HOST.fullmatch(self.headers.get("Host", ""))

    def _send_match(self) -> None:
        booth = self.server.booth
        shown = booth.show()
        counts = {"own": len(booth.session), "votes": booth.num_votes(), "matches": booth.num_matches}
        told = {"match": asdict(shown) if shown else None, **counts}
        self._send(json.dumps(told).encode(), "application/json")

    def _send_video(self, token: str) -> None:
        try:
            content = self.server.booth.video(token).read_bytes()
        except (Stale, OSError):
            return self._refuse(HTTPStatus.NOT_FOUND)
        self._send_part(content)

    def _send_part(self, content: bytes) -> None:
        """A video, or the range of it that is asked for: Safari plays none without."""
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if asked is None or not any(asked.groups()):
            return self._send(content, "video/mp4", {"Accept-Ranges": "bytes"})
        begin, end = asked.groups()
        first = int(begin) if begin else max(0, len(content) - int(end))
        last = min(int(end), len(content) - 1) if begin and end else len(content) - 1
        if first > last:
            return self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        told = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {first}-{last}/{len(content)}"}
        self._send(content[first : last + 1], "video/mp4", told, HTTPStatus.PARTIAL_CONTENT)

    def _refuse(self, status: HTTPStatus, why: str = "") -> None:
        self.close_connection = True  # what it sent may not have been read
        self._send((why or status.phrase).encode(), "text/plain; charset=utf-8", {"Connection": "close"}, status)

    def _send(
        self, content: bytes, kind: str, more: dict[str, str] | None = None, status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        self.send_response(status)
        for name, value in (
            HEADERS | {"Content-Type": kind, "Content-Length": str(len(content))} | (more or {})
        ).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing: a terminal that names paths would not be blind."""
