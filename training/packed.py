"""Where the packed sets lie that a stage names, and that there are such."""

from pathlib import Path

from shards.manifest import MANIFEST
from training.latent_set import LATENTS


def packed_folder(shards: str, name: str) -> Path:
    """The folder of a packed set.

    Args:
        shards: folder of packed sets.
        name: of one of them; or a folder anywhere, told by a slash in it.
    """
    return Path(name) if "/" in name else Path(shards) / name


def check_packed(shards: str, name: str) -> Path:
    """The folder of a packed set, once there is one in it.

    Raises:
        ValueError: there is none, or one of latents; says what is there, and the way out.
    """
    folder = packed_folder(shards, name)
    if (folder / LATENTS).exists():
        raise ValueError(f"{folder} holds latents: name the packed set as data.shards, them as data.latents")
    if (folder / MANIFEST).exists():
        return folder
    if "/" in name:
        raise ValueError(f"{folder} is no packed set: it has no {MANIFEST}; see data.mixture")
    if (folder.parent / "shards").is_dir():
        raise ValueError(f"{shards} is a corpus; its packed sets lie in {folder.parent / 'shards'}: SHARDS=")
    there = sorted(path.parent.name for path in folder.parent.glob(f"*/{MANIFEST}"))
    if not there:
        raise ValueError(f"there are no shards in {shards}: run `make curate` first, or name others: SHARDS=")
    raise ValueError(
        f"{shards} has no packed set {name!r}, it has: {', '.join(there)}; pack it with `make curate`, "
        "or name another with --data.set"
    )
