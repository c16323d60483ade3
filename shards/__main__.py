"""The command line of packed sets: check one, describe one."""

import argparse
import os
import sys


def make_parser() -> argparse.ArgumentParser:
    """`verify` and `describe`."""
    parser = argparse.ArgumentParser(
        prog="python -m shards", description="Looks at packed sets, e.g. data/demo/corpus/shards/pretrain."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("set", help="folder of a packed set, or of one of its splits; local, or an address as s3://")
    verify = commands.add_parser("verify", parents=[shared], help="check every byte of it; exit code 1 if it is bad")
    verify.add_argument(
        "--decode",
        choices=["first", "all", "none"],
        default="first",
        help="which frames of each video are decoded (default: the first)",
    )
    describe = commands.add_parser("describe", parents=[shared], help="say in numbers what is in it; reads no tar")
    describe.add_argument("--shards", action="store_true", help="list every shard with its hash")
    return parser


def verify(options: argparse.Namespace) -> int:
    """Prints one line a shard and what was found; 1 if the set is bad."""
    from shards.places import place
    from shards.verify import verify as checks

    num_samples, num_shards, bad = 0, 0, []
    for checked in checks(place(options.set), options.decode):
        about = f"{checked.num_samples} samples, {checked.size_bytes} bytes"
        outcome = f"BAD: {checked.problem}" if checked.problem else f"ok, {about}"
        print(f"{checked.name}: {outcome}", flush=True)
        num_samples, num_shards = num_samples + checked.num_samples, num_shards + 1
        bad += [checked] if checked.problem else []
    if bad:
        faults = "1 fault" if len(bad) == 1 else f"{len(bad)} faults"
        print(f"{options.set} is BAD: {faults}, the first: {bad[0].name}: {bad[0].problem}")
        return 1
    print(f"{options.set} is well: {num_samples} samples in {num_shards} shards")
    return 0


def describe(options: argparse.Namespace) -> int:
    """Prints tables."""
    from shards.describe import describe as lines
    from shards.places import place

    for line in lines(place(options.set), options.shards):
        print(line)
    return 0


def main(arguments: list[str]) -> int:
    """Parses, runs, and turns what a user can mend into one line; RUSHES_DEBUG=1 shows where it came from."""
    options = make_parser().parse_args(arguments)
    try:
        return {"verify": verify, "describe": describe}[options.command](options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read along, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError) as error:
        if os.environ.get("RUSHES_DEBUG"):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
