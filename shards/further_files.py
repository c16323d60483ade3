"""Files of a set beside its shards, such as `latents.json`: the set's manifest lists their SHA-256 under `files`.

They lie in the set's own folder. A set whose manifest has no `files` says nothing of them.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, cast

from shards.manifest import MANIFEST
from shards.places import Place, reaching

FILES = "files"


def listed_hashes(root: Place, names: list[str]) -> dict[str, dict[str, str]]:
    """What a set's manifest says of files in its folder: `{"files": {name: SHA-256}}`.

    Raises:
        OSError: one is missing, or the disk or the network fails.
    """
    return {FILES: {name: sha256_of(root / name) for name in sorted(names)}}


def sha256_of(path: Place) -> str:
    """SHA-256 of a file, 64 hex digits."""
    with reaching(path), path.open("rb") as file:
        return hashlib.file_digest(cast(Any, file), "sha256").hexdigest()


def file_faults(root: Place, manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Files that are missing, changed, or not listed, each by name with what is wrong.

    Args:
        root: folder of a set.
        manifest: that of the set, not of a split.

    Raises:
        OSError: the disk or the network fails.
    """
    if FILES not in manifest:
        return
    listed, standing = manifest[FILES], _standing(root)
    if not isinstance(listed, dict):
        yield MANIFEST, f"its `{FILES}` are no names with a SHA-256 each"
        return
    for name in sorted({*listed, *standing}):
        if name not in listed:
            yield name, f"{MANIFEST} does not list it"
        elif name not in standing:
            yield name, f"is missing though {MANIFEST} lists it"
        elif sha256_of(root / name) != listed[name]:
            yield name, f"is not the file that {MANIFEST} lists: it has another SHA-256"


def _standing(root: Place) -> set[str]:
    """Names of the files in a folder, but for the manifest and hidden ones."""
    with reaching(root):
        return {path.name for path in root.iterdir() if path.is_file() and not path.name.startswith(".")} - {MANIFEST}
