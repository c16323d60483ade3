"""Edited footage of public repositories, labelled by eye: what thresholds are chosen on, since films are too easy.

`edited.json` says where each file comes from and what is in it; the files themselves are not part of the project.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cut_score import Truth
from shards.further_files import sha256_of

LABELS = Path(__file__).with_name("edited.json")


@dataclass(frozen=True)
class Labelled:
    """A file, and what is known of a stretch of it; its truth counts from the first frame of the stretch."""

    path: Path
    frames: tuple[int, int]
    """Half-open."""
    truth: Truth


def edited(folder: Path, labels: Path = LABELS) -> Iterator[Labelled]:
    """The labelled files that lie anywhere below a folder, whatever they are called there.

    Raises:
        FileNotFoundError: there is none.
    """
    by_hash = {sha256_of(path): path for path in sorted(folder.rglob("*")) if path.is_file()}
    known = json.loads(labels.read_text(encoding="utf-8"))
    there = [(label, by_hash[label["sha256"]]) for label in known if label["sha256"] in by_hash]
    if not there:
        raise FileNotFoundError(f"{folder}: holds none of the {len(known)} files that {labels} names")
    for label, path in there:
        start, end = label["frames"]
        gradual = [(first - start, last - start) for first, last in label["gradual"]]
        cuts, ambiguous = ([frame - start for frame in label[key]] for key in ("cuts", "ambiguous"))
        yield Labelled(path, (start, end), Truth(cuts, gradual, ambiguous))
