"""`make vote` as a process, and what a user gets wrong."""

import re
import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest
from ablated import put_ablation

from training.__main__ import main, make_parser
from training.ablation.vote_command import open_server
from training.ablation.votes import Session, Vote


def _interruptible():
    """Whoever runs tests in the background may have made them deaf to interrupts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_it_serves_until_it_is_interrupted(tmp_path):
    put_ablation(tmp_path, ("raw", "full"), (0,))
    command = [sys.executable, "-m", "training", "vote", "--out", str(tmp_path), "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, preexec_fn=_interruptible) as process:
        first = process.stdout.readline()
        url = re.search(r"vote at (http://127\.0\.0\.1:\d+/) \(this machine alone\)", first)[1]
        assert b"Which video is better?" in urlopen(url, timeout=20).read()
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=30)
    assert said == "0 votes were given\n" and errors == "" and process.returncode == 0


def test_options_reach_the_booth(tmp_path):
    put_ablation(tmp_path, seeds=(0,))
    arguments = ["vote", "--out", str(tmp_path), "--port", "0", "--arms", "raw, full", "--by", "bob", "--seed", "3"]
    with open_server(make_parser().parse_args(arguments), []) as server:
        assert server.booth.num_matches == 2
        server.booth.vote(server.booth.show().token, "a")
        assert server.booth.session.path.parent == tmp_path / "votes"
    with open_server(make_parser().parse_args(arguments[:5]), []) as server:
        assert server.booth.num_matches == 6 and server.booth.num_votes() == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--arms", "raw,text"], "has no videos of arm text; there are: full, raw"),
        (["--arms", "raw"], "of two arms; there are: raw"),
        (["--model.x", "1"], "vote takes no --model.x 1"),
        (["--port", "99999"], "port 99999 cannot be used"),
    ],
)
def test_what_a_user_gets_wrong(tmp_path, capsys, arguments, told):
    put_ablation(tmp_path, ("raw", "full"), (0,))
    assert main(["vote", "--out", str(tmp_path), *arguments]) == 1
    assert told in capsys.readouterr().err


def test_damaged_votes_stop_before_there_is_a_page(tmp_path, capsys):
    put_ablation(tmp_path, ("raw", "full"), (0,))
    Session(tmp_path / "votes").add(Vote("a", 0, 0, "raw", "full", "tie", "ann"))
    (tmp_path / "votes/half.parquet").write_bytes(b"half")
    assert main(["vote", "--out", str(tmp_path), "--port", "0"]) == 1
    assert "half.parquet cannot be read" in capsys.readouterr().err
