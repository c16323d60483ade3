"""Which code trained a stage."""

import hashlib
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("shards", "training")


def code_version() -> dict[str, str | None]:
    """The commit of this checkout, and a hash of the code that decides the weights.

    Returns:
        `commit`: with `-dirty` where files differ from it, None where this is no checkout or git cannot read it;
        `sources`: SHA-256 over all Python files of `shards` and `training`.
    """
    return {"commit": _commit(), "sources": _hash_of_sources()}


def _commit() -> str | None:
    if not (ROOT / ".git").exists():
        return None  # git would find the checkout of whatever this lies in
    command = [
        "git",
        "--no-optional-locks",
        "-C",
        str(ROOT),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _hash_of_sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        digest.update(f"{path.relative_to(ROOT)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()
