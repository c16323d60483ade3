"""Where published weights lie on this machine: a folder or a file, or a copy of what a hub holds under a name."""

import re
from pathlib import Path

from huggingface_hub import snapshot_download

ON_HUB = re.compile(r"[\w-][\w.-]*/[\w.-]+")
NO_WEIGHTS = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.msgpack", "*.h5", "*.onnx", "*.fp16.*", "*non_ema*", "*.md")


def local_copy(name: str, subfolder: str, key: str) -> Path:
    """The folder, or file, that a name stands for; a hub is asked where it is no path.

    Only files that loading reads are fetched: configurations, vocabularies, weights as safetensors. Without a network,
    or with `HF_HUB_OFFLINE=1`, what the hub's cache holds is taken.

    Args:
        name: a folder, a file, or `<owner>/<name>` of the Hugging Face hub.
        subfolder: the part of it that is wanted; empty for all.
        key: of the configuration, for messages.

    Raises:
        ValueError: it is neither here nor to be had; names the way out.
    """
    path = Path(name)
    if path.is_file():
        return path
    if not path.exists():
        path = _fetched(name, subfolder, key)
    if not (path / subfolder).is_dir():
        raise ValueError(f"{path} has no folder {subfolder!r}; see {key}")
    return path / subfolder


def _fetched(name: str, subfolder: str, key: str) -> Path:
    """The snapshot of a hub's repository in the local cache."""
    if not ON_HUB.fullmatch(name):
        raise ValueError(f"there is no folder or file {name!r}; name a local copy: {key}=<folder>")
    wanted = f"{subfolder}/*" if subfolder else None
    try:
        return Path(snapshot_download(name, allow_patterns=wanted, ignore_patterns=list(NO_WEIGHTS)))
    except Exception as error:  # no such name, no network, a full disk: the library raises its own and others'
        raise ValueError(
            f"{name!r} is no folder or file here, and the hub did not give it "
            f"({' '.join(str(error).split())[:200]}). With no network name a local copy: {key}=<folder>"
        ) from error
