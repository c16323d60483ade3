"""The server on loopback: what it answers, what it hides, and whom it refuses."""

import json
import re
import threading
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from ablated import put_ablation

from training.ablation.booth import Booth
from training.ablation.matches import find_matches, find_trials
from training.ablation.server import VoteServer
from training.ablation.votes import read_votes


@pytest.fixture
def out(tmp_path):
    return put_ablation(tmp_path, ("raw", "full"), (0,))


@pytest.fixture
def server(out):
    with VoteServer(Booth(find_matches(find_trials(out)), out / "votes", "ann"), 0) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def ask(server, path, body=None, **headers):
    """Status, headers and content; a body is sent as the page sends it, other headers replace its own."""
    own = {} if body is None else {"Origin": server.url.rstrip("/"), "Content-Type": "application/json"}
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {name: value for name, value in (own | told).items() if value is not None}
    try:
        with urlopen(Request(server.url.rstrip("/") + path, content, sent), timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        return error.code, error.headers, error.read()


def shown(server):
    return json.loads(ask(server, "/match")[2])


def test_it_listens_on_loopback_alone(server):
    assert server.server_address[0] == "127.0.0.1" and server.url == f"http://127.0.0.1:{server.server_port}/"
    with pytest.raises(ValueError, match=r"port \d+ cannot be used .*: name another \(--port, PORT=\)"):
        VoteServer(server.booth, server.server_port)
    with pytest.raises(ValueError, match="port 70000 cannot be used"):
        VoteServer(server.booth, 70000)


def test_the_page_names_no_arm_and_needs_no_other_site(server):
    seen = ""
    for path, kind in (("/", "text/html"), ("/vote.css", "text/css"), ("/vote.js", "text/javascript")):
        status, headers, content = ask(server, path)
        assert status == 200 and headers["Content-Type"].startswith(kind)
        assert headers["Cache-Control"] == "no-store" and "default-src 'none'" in headers["Content-Security-Policy"]
        seen += content.decode()
    seen += ask(server, "/match")[2].decode()
    assert not re.search(r"https?://", seen)
    assert not re.search(r"\b(raw|full)\b|\.mp4|/tmp", seen)


def test_a_vote_over_http(server, out):
    first = shown(server)
    assert first["own"] == first["votes"] == 0 and first["matches"] == 2 and shown(server) == first
    match = first["match"]
    videos = [ask(server, f"/video/{match[side]}") for side in "ab"]
    files = sorted(path.read_bytes() for path in out.rglob(f"v{int('star' in match['caption'])}.mp4"))
    assert sorted(content for _, _, content in videos) == files
    assert {headers["Content-Type"] for _, headers, _ in videos} == {"video/mp4"}
    status, _, content = ask(server, "/vote", {"token": match["token"], "choice": "b"})
    told = json.loads(content)
    assert status == 200 and told["own"] == told["votes"] == 1 and told["match"]["caption"] != match["caption"]
    assert [row["outcome"] for row in read_votes(out / "votes").to_pylist()] == ["second"]
    assert json.loads(ask(server, "/vote", {"token": match["token"], "choice": "a"})[2]) == told  # a second click
    back = json.loads(ask(server, "/undo", {})[2])
    assert back["own"] == back["votes"] == 0 and back["match"]["caption"] == match["caption"]
    skipped = json.loads(ask(server, "/skip", {"token": back["match"]["token"]})[2])
    assert skipped["matches"] == 1
    last = json.loads(ask(server, "/skip", {"token": skipped["match"]["token"]})[2])
    assert last == {"match": None, "own": 0, "votes": 0, "matches": 0} and shown(server) == last


@pytest.mark.parametrize(
    "path", ["../raw-0/evaluation/samples/v0.mp4", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "", "v0.mp4", "x?y"]
)
def test_only_tokens_lead_to_files(server, path):
    assert ask(server, f"/video/{path}")[0] == 404
    assert ask(server, f"/{path}")[0] == (200 if path == "" else 404)
    assert ask(server, "/templates/vote.html")[0] == 404


def test_the_token_of_a_match_is_no_video_and_old_tokens_end(server):
    match = shown(server)["match"]
    assert ask(server, f"/video/{match['token']}")[0] == 404 and ask(server, f"/video/{match['a']}")[0] == 200
    ask(server, "/vote", {"token": match["token"], "choice": "tie"})
    assert ask(server, f"/video/{match['a']}")[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://evil.example", "Host": "evil.example"},  # its name was made to point here
        {"Origin": "http://127.0.0.1.evil.example", "Host": "127.0.0.1.evil.example"},
    ],
)
def test_other_sites_cannot_vote(server, out, headers):
    token = shown(server)["match"]["token"]
    for path, body in (("/vote", {"token": token, "choice": "a"}), ("/skip", {"token": token}), ("/undo", {})):
        assert ask(server, path, body, **headers)[0] == 403
    assert read_votes(out / "votes").num_rows == 0 and shown(server)["matches"] == 2


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "127.0.0.1@evil", ""])
def test_other_names_are_not_served(server, host):
    for path in ("/", "/match", "/vote.js"):
        assert ask(server, path, Host=host)[0] == 403


def test_a_tunnel_may_have_another_port(server):
    assert ask(server, "/", Host="localhost:9000")[0] == 200
    token = shown(server)["match"]["token"]
    there = {"Host": "localhost:9000", "Origin": "http://localhost:9000"}
    assert ask(server, "/vote", {"token": token, "choice": "a"}, **there)[0] == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'{"choice": "a"}', b'{"token": 1, "choice": "c"}',
                                  b'{"token": 1, "choice": []}', b"[" * 4000, b"x" * 5000])  # fmt: skip
def test_what_makes_no_sense_is_refused(server, body):
    assert ask(server, "/vote", body)[0] == 400
    assert shown(server)["votes"] == 0  # and the server goes on


def test_unknown_posts_and_methods_are_refused(server):
    assert ask(server, "/match", {})[0] == 404
    assert ask(server, "/vote", {"token": "old", "choice": "a"})[0] == 200  # answers with what is shown now


@pytest.mark.parametrize(
    ("asked", "part"),
    [("bytes=0-1", slice(0, 2)), ("bytes=5-", slice(5, None)), ("bytes=-7", slice(-7, None)),
     ("bytes=3-999999", slice(3, None))],
)  # fmt: skip
def test_a_range_of_a_video(server, asked, part):
    path = f"/video/{shown(server)['match']['a']}"
    whole = ask(server, path)
    assert whole[0] == 200 and whole[1]["Accept-Ranges"] == "bytes"
    status, headers, content = ask(server, path, Range=asked)
    assert status == 206 and content == whole[2][part]
    first = len(whole[2]) - len(content) if part.start < 0 else part.start
    assert headers["Content-Range"] == f"bytes {first}-{first + len(content) - 1}/{len(whole[2])}"


@pytest.mark.parametrize(
    ("asked", "status"), [("bytes=999999-", 416), ("bytes=9-3", 416), ("bytes=-", 200), ("x", 200)]
)
def test_a_range_that_is_none(server, asked, status):
    assert ask(server, f"/video/{shown(server)['match']['a']}", Range=asked)[0] == status


def test_a_disk_that_is_full_is_told(server, monkeypatch):
    token = shown(server)["match"]["token"]

    def full(vote):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(server.booth.session, "add", full)
    status, _, content = ask(server, "/vote", {"token": token, "choice": "a"})
    assert status == 507 and content == b"the vote could not be written: No space left on device"
    assert shown(server)["match"]["token"] == token
