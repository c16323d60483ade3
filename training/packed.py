"""Where the packed sets lie that a stage names, and that there are such."""

from shards.manifest import MANIFEST, SPLITS
from shards.places import Place, place
from shards.store import read_json
from training.latent_set import LATENTS


def packed_folder(shards: str, name: str) -> Place:
    """The folder or address of a packed set.

    Args:
        shards: folder of packed sets.
        name: of one of them; or a folder or address anywhere, told by a slash in it.
    """
    return place(name) if "/" in name else place(shards) / name


def check_packed(shards: str, name: str) -> Place:
    """The folder of a packed set, once there is one in it.

    Raises:
        ValueError: there is none, or one of latents; says what is there, and the way out.
    """
    folder = packed_folder(shards, name)
    if (folder / LATENTS).exists():
        raise ValueError(f"{folder} holds latents: name the packed set as data.shards, them as data.latents")
    if (folder / MANIFEST).exists():
        _refuse_half(folder)
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


def _refuse_half(folder: Place) -> None:
    """While a generation is added, the manifests of the splits may be of different ones for a moment."""
    whole = read_json(folder / MANIFEST)
    for split in SPLITS:
        path = folder / split / MANIFEST
        if split in whole and path.exists() and read_json(path).get("num_samples") != whole[split]:
            raise ValueError(f"{folder} is being packed, or that was interrupted: let `make curate` come to its end")
