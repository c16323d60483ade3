"""The command `vote`: its options, and the booth that they open. Knows no torch, so the page is there at once."""

import argparse
import getpass
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.ablation.server import VoteServer

VOTES_FOLDER = "votes"
"""In the folder of an ablation."""


def add_parser(commands: Any) -> None:
    """Adds the command to those of a parser, as `ArgumentParser.add_subparsers` gives them."""
    vote = commands.add_parser("vote", allow_abbrev=False, help="compare the videos of an ablation's arms, blind")
    vote.add_argument("--out", required=True, help="folder of the ablation; votes go to its folder votes")
    vote.add_argument("--port", type=int, default=8765, help="on 127.0.0.1; 0 takes a free one (default 8765)")
    vote.add_argument("--arms", default="", help="these alone, as raw,full (default: all)")
    vote.add_argument("--by", default="", help="who votes (default: the user's name)")
    vote.add_argument("--seed", type=int, default=0, help="of the order of pairs, and of sides (default 0)")


def serve(options: argparse.Namespace, rest: list[str], say: Callable[[str], None]) -> None:
    """Serves the page until it is interrupted.

    Args:
        options: of the command.
        rest: of the command line; there must be none.
        say: tells a line.

    Raises:
        ValueError: as `open_server`.
    """
    with open_server(options, rest) as server:
        say(f"vote at {server.url} (this machine alone); Ctrl-C ends it")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
        session = server.booth.session
        told = f"in {session.path}; make ablate, as it was called before, rates the arms by them"
        say(f"{len(session)} votes {told if len(session) else 'were given'}")


def open_server(options: argparse.Namespace, rest: list[str]) -> "VoteServer":
    """A server that waits for `serve_forever`.

    Raises:
        ValueError: there is nothing to compare, a table is damaged, or the port is taken.
    """
    from training.ablation.booth import Booth
    from training.ablation.matches import find_matches, find_trials
    from training.ablation.server import VoteServer

    if rest:
        raise ValueError(f"vote takes no {' '.join(rest)}")
    out = Path(options.out)
    trials = find_trials(out, [arm.strip() for arm in options.arms.split(",") if arm.strip()])
    booth = Booth(find_matches(trials), out / VOTES_FOLDER, options.by or _user(), options.seed)
    booth.show()  # reads all votes
    return VoteServer(booth, options.port)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user's number
        return "unknown"
